"""Kubeconfigs: what is read of one, and what is refused with a reason and no secret."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from wharfinger.runtime.kubeconfig import MAX_FILE, Cluster, Unusable, read_in_cluster, read_kubeconfig
from wharfinger.runtime.settings import Secret

DATA = base64.b64encode(b"inline").decode()


def written(folder: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **more: Any) -> Path:
    """A kubeconfig with two contexts, the second of which is another."""
    (folder / "ca.crt").write_bytes(b"authority")
    (folder / "tls.crt").write_bytes(b"certificate")
    (folder / "tls.key").write_bytes(b"s3cret-key")
    (folder / "token").write_bytes(b"s3cret-of-file\n")
    whole = {
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}, {"name": "odd", "context": {"cluster": "none", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://k:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "s3cret"} if user is None else user}],
        **more,
    }  # fmt: skip
    file = folder / "config"
    file.write_text(yaml.safe_dump(whole))
    return file


@pytest.mark.parametrize(
    ("cluster", "user", "expected"),
    [
        ({}, None, Cluster("https://k:6443", token=Secret(b"s3cret"))),
        ({"certificate-authority": "ca.crt", "tls-server-name": "kubernetes"}, None, Cluster("https://k:6443", b"authority", Secret(b"s3cret"), server_name="kubernetes")),
        ({"certificate-authority-data": DATA}, {"tokenFile": "token"}, Cluster("https://k:6443", b"inline", Secret(b"s3cret-of-file"))),
        ({}, {"client-certificate": "tls.crt", "client-key": "tls.key"}, Cluster("https://k:6443", certificate=b"certificate", key=Secret(b"s3cret-key"))),
        ({}, {"client-certificate-data": DATA, "client-key-data": DATA}, Cluster("https://k:6443", certificate=b"inline", key=Secret(b"inline"))),
    ],
)  # fmt: skip
def test_what_is_read(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any] | None, expected: Cluster) -> None:
    """From the file or from those that it names, beside it; data wins over a name."""
    assert read_kubeconfig(written(tmp_path, cluster=cluster, user=user)) == expected
    assert read_kubeconfig(tmp_path / "config", "prod") == expected


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"cluster": {"server": "http://k"}}, "its cluster has no server with https://"),
        ({"cluster": {"insecure-skip-tls-verify": True}}, "so anybody could be it"),
        ({"cluster": {"certificate-authority-data": "s3cret!"}}, "its certificate-authority-data is no base64"),
        ({"cluster": {"certificate-authority": "no.crt"}}, "no.crt cannot be read"),
        ({"user": {"exec": {"command": "aws", "env": [{"value": "s3cret"}]}}}, "credentials from a plugin (exec), a program that is not run here"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "credentials from a plugin (auth-provider)"),
        ({"user": {"username": "u", "password": "s3cret"}}, "its user has a password"),
        ({"user": {}}, "neither a token nor a client certificate with its key"),
        ({"user": {"client-certificate": "tls.crt"}}, "neither a token nor a client certificate with its key"),
        ({"user": {"tokenFile": "no.token"}}, "no.token cannot be read"),
        ({"current-context": ""}, "it names no context"),
        ({"current-context": "nowhere"}, "it has no context 'nowhere'"),
        ({"current-context": "odd"}, "it has no cluster 'none'"),
        ({"users": []}, "it has no user 'u'"),
        ({"contexts": "s3cret"}, "it has no context 'prod'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    """Each is told, and nothing that stands there."""
    with pytest.raises(Unusable) as raised:
        read_kubeconfig(written(tmp_path, **more))
    assert problem in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"a: [", "is not YAML"), (b"\xff", "is not YAML"), (b"[]", "it names no context"), (b"x" * (MAX_FILE + 1), "is larger than a kubeconfig")],
)  # fmt: skip
def test_files_that_are_none(tmp_path: Path, content: bytes, problem: str) -> None:
    """Whatever somebody named."""
    (tmp_path / "config").write_bytes(content)
    with pytest.raises(Unusable, match=problem):
        read_kubeconfig(tmp_path / "config")
    with pytest.raises(Unusable, match="cannot be read"):
        read_kubeconfig(tmp_path / "none")


def test_in_a_pod(tmp_path: Path) -> None:
    """The service account's own files."""
    written(tmp_path)
    assert read_in_cluster("https://10.96.0.1:443", tmp_path) == Cluster(
        "https://10.96.0.1:443", b"authority", Secret(b"s3cret-of-file")
    )
    with pytest.raises(Unusable, match="cannot be read"):
        read_in_cluster("https://10.96.0.1:443", tmp_path / "none")
