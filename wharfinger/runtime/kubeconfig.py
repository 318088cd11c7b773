"""Where a cluster is and as whom it is spoken to, of a kubeconfig or of the pod this runs in. Read anew: tokens change.

Source: Kubernetes, "Organizing Cluster Access Using kubeconfig Files" and "Accessing the Kubernetes API from a Pod". Plugins
that make credentials (``exec``, ``auth-provider``) are programs to be run, and are refused.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from wharfinger.runtime.settings import Secret

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its token and the cluster's authority."""
MAX_FILE: Final = 1024 * 1024


class Unusable(Exception):  # noqa: N818 - named for the state it reports
    """Why a cluster cannot be spoken to, for people, without any secret."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's API and our credentials for it, PEM where they are certificates. ``authority`` empty: the system's."""

    server: str
    authority: bytes = b""
    token: Secret | None = None
    certificate: bytes = b""
    key: Secret | None = None
    server_name: str = ""


def read_kubeconfig(file: Path, context: str = "") -> Cluster:
    """The cluster of a context, or of the current one. Raises Unusable."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise Unusable(f"{file} is larger than a kubeconfig")
        found = yaml.load(file.read_bytes(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError):
        # Without the parser's words: they repeat what stands there.
        raise Unusable(f"{file} is not YAML") from None
    name = context or _text(found, "current-context")
    chosen = _named(found, "contexts", name, "context")
    cluster = _named(found, "clusters", _text(chosen, "cluster"), "cluster")
    user = _named(found, "users", _text(chosen, "user"), "user")
    return _cluster(cluster, user, file.parent)


def read_in_cluster(server: str, folder: Path = ACCOUNT) -> Cluster:
    """The cluster of this pod, by its service account. Raises Unusable."""
    return Cluster(server, _file(folder, "ca.crt"), Secret(_file(folder, "token").strip()))


def _cluster(cluster: Any, user: Any, folder: Path) -> Cluster:
    server = _text(cluster, "server")
    if not server.startswith("https://"):
        raise Unusable("its cluster has no server with https://")
    if _get(cluster, "insecure-skip-tls-verify"):
        raise Unusable("its cluster is not to be verified (insecure-skip-tls-verify), so anybody could be it")
    for plugin in ("exec", "auth-provider"):
        if _get(user, plugin):
            raise Unusable(
                f"its user gets credentials from a plugin ({plugin}), a program that is not run here: "
                "make a service account with a token of its own"
            )
    if _get(user, "password"):
        raise Unusable("its user has a password, which Kubernetes takes no more; give it a token")
    certificate, key = _pem(user, "client-certificate", folder), _pem(user, "client-key", folder)
    token = _text(user, "token").encode()
    if not token and _text(user, "tokenFile"):
        token = _file(folder, _text(user, "tokenFile")).strip()
    if not token and not (certificate and key):
        raise Unusable("its user has neither a token nor a client certificate with its key")
    return Cluster(
        server.rstrip("/"),
        _pem(cluster, "certificate-authority", folder),
        Secret(token) if token else None,
        certificate,
        Secret(key) if key else None,
        _text(cluster, "tls-server-name"),
    )


def _named(found: Any, kind: str, name: str, what: str) -> Any:
    listed = _get(found, kind)
    for one in listed if isinstance(listed, list) else []:
        if name and _text(one, "name") == name:
            return _get(one, what)
    raise Unusable(f"it has no {what} {name!r}" if name else f"it names no {what}")


def _pem(found: Any, name: str, folder: Path) -> bytes:
    inline = _text(found, f"{name}-data")
    if inline:
        try:
            return base64.b64decode(inline, validate=True)
        except binascii.Error:
            raise Unusable(f"its {name}-data is no base64") from None
    path = _text(found, name)
    return _file(folder, path) if path else b""


def _file(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise Unusable(f"{folder / path} cannot be read: {error.strerror}") from error


def _get(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None


def _text(found: Any, name: str) -> str:
    value = _get(found, name)
    return value if isinstance(value, str) else ""
