"""Clients as people have them log in, push and pull through a registry whose token service stands under a prefix."""

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.real.conftest import Engine, House, build_house, need, wait_until
from tests.real.test_pipe import all_exact, layout, skopeo
from wharfinger.cli.pusher import make_image
from wharfinger.wire import keys
from wharfinger.wire.codec import RECORD_FIELD

pytestmark = pytest.mark.real

PREFIX = "/behind/a/proxy"


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything with its defaults, the token service under a prefix."""
    folder = tmp_path_factory.mktemp("prefixed")

    def edit(text: str) -> str:
        registry = folder / "registry.yml"
        registry.write_text(registry.read_text().replace("/auth\n", f"{PREFIX}/auth\n"))
        return text.replace("server:\n", f"server:\n  path_prefix: {PREFIX}\n")

    built = build_house(folder, edit=edit)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def root_filesystem(folder: Path) -> Path:
    """A tar of one file, unlike every other."""
    (folder / "file").write_bytes(os.urandom(64))
    made = folder / "root.tar"
    with tarfile.open(made, "w") as archive:
        archive.add(folder / "file", "file")
    return made


def done(result: "subprocess.CompletedProcess[str]") -> str:
    """What a command that must succeed wrote."""
    assert result.returncode == 0, result.stderr
    return result.stdout


def pushed_by(house: House, repository: str, agent: str) -> None:
    """Each event of a repository is tied to its token, and that was fetched by the client."""
    wait_until(
        "the push",
        lambda: house.rows(f"SELECT 1 FROM records WHERE repository = '{repository}' AND action = 'push' AND tag = 'v1'"),
    )
    wait_until("the pull", lambda: house.rows(f"SELECT 1 FROM records WHERE repository = '{repository}' AND action = 'pull'"))
    all_exact(house, repository)
    found = house.traced(f"{repository}:v1", lambda one: one.issuances)
    assert {one.account for one in found.issuances} == {"hussein"}
    assert all(one.user_agent.startswith(agent) for one in found.issuances), {one.user_agent for one in found.issuances}


def logs_in(login: Callable[[str], "subprocess.CompletedProcess[str]"], password: str) -> None:
    """The right password does, a wrong one does not."""
    assert login("wrong").returncode != 0
    done(login(password))


def test_skopeo(prefixed: House, tmp_path: Path) -> None:
    """GET with Basic."""
    auth = ["--authfile", str(tmp_path / "auth.json")]
    logs_in(
        lambda word: skopeo("login", *auth, "--tls-verify=false", "-u", "hussein", "-p", word, prefixed.registry),
        prefixed.password("hussein"),
    )
    image = f"docker://{prefixed.registry}/team/skopeo:v1"
    done(
        skopeo(
            "copy", *auth, "--dest-tls-verify=false", f"oci:{layout(tmp_path / 'oci', make_image(os.urandom(32)))}:v1", image
        )
    )
    done(skopeo("copy", *auth, "--src-tls-verify=false", image, f"dir:{tmp_path / 'pulled'}"))
    pushed_by(prefixed, "team/skopeo", "skopeo")


def test_docker(prefixed: House, engine: Engine, tmp_path: Path) -> None:
    """The engine asks for tokens itself, with what `docker login` kept."""
    logs_in(
        lambda word: engine.docker("login", "-u", "hussein", "-p", word, prefixed.registry, check=False),
        prefixed.password("hussein"),
    )
    image = f"{prefixed.registry}/team/docker:v1"
    engine.docker("import", str(root_filesystem(tmp_path)), image)
    done(engine.docker("push", image, check=False))
    engine.docker("rmi", image)
    done(engine.docker("pull", image, check=False))
    engine.docker("logout", prefixed.registry)
    pushed_by(prefixed, "team/docker", "docker")


def test_podman(prefixed: House, tmp_path: Path) -> None:
    """As root, with a store of its own."""
    need("podman", root=True)

    def podman(*arguments: str) -> "subprocess.CompletedProcess[str]":
        place = [
            "--root",
            str(tmp_path / "root"),
            "--runroot",
            str(tmp_path / "run"),
            "--storage-driver",
            "vfs",
            "--cgroup-manager",
            "cgroupfs",
        ]
        environment = os.environ | {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
        return subprocess.run(
            ["podman", *place, *arguments], capture_output=True, text=True, check=False, timeout=120, env=environment
        )

    logs_in(
        lambda word: podman("login", "--tls-verify=false", "-u", "hussein", "-p", word, prefixed.registry),
        prefixed.password("hussein"),
    )
    image = f"{prefixed.registry}/team/podman:v1"
    done(podman("import", str(root_filesystem(tmp_path)), image))
    done(podman("push", "--tls-verify=false", image))
    done(podman("rmi", image))
    done(podman("pull", "--tls-verify=false", image))
    done(podman("rmi", image))
    pushed_by(prefixed, "team/podman", "containers/")


def test_containerd(prefixed: House, engine: Engine, tmp_path: Path) -> None:
    """POST with an OAuth2 form, GET when that is refused: one wrong password is one."""
    need("ctr")
    socket = engine.socket.parent / "exec/containerd/containerd.sock"

    def ctr(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["ctr", "--address", str(socket), "--namespace", "wharfinger", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def push(word: str) -> "subprocess.CompletedProcess[str]":
        return ctr("images", "push", "--plain-http", "--user", f"hussein:{word}", f"{prefixed.registry}/team/ctr:v1")

    with tarfile.open(tmp_path / "oci.tar", "w") as archive:
        source = layout(tmp_path / "oci", make_image(os.urandom(32)))
        for part in sorted(source.rglob("*")):
            archive.add(part, str(part.relative_to(source)), recursive=False)
    done(ctr("images", "import", "--base-name", f"{prefixed.registry}/team/ctr", str(tmp_path / "oci.tar")))
    logs_in(push, prefixed.password("hussein"))
    # Synchronous: content that is still there is not pulled, only looked for.
    done(ctr("images", "rm", "--sync", f"{prefixed.registry}/team/ctr:v1"))
    done(
        ctr(
            "images",
            "pull",
            "--plain-http",
            "--user",
            f"hussein:{prefixed.password('hussein')}",
            f"{prefixed.registry}/team/ctr:v1",
        )
    )
    pushed_by(prefixed, "team/ctr", "containerd/")
    with redis.Redis(unix_socket_path=f"{prefixed.folder}/store/valkey.sock") as client:
        entries = [json.loads(fields[RECORD_FIELD.encode()]) for _, fields in client.xrange(keys.ISSUANCES)]
    assert {one["authenticated_by"] for one in entries if one["user_agent"].startswith("containerd/")} == {"form"}
