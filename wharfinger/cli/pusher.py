"""Pushes a tiny OCI image through a registry's HTTP API, as a docker client would: challenge, token, blobs, manifest.

Source: OCI distribution specification, "Pushing a manifest"; distribution's spec/auth/token.md.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic, parse_challenge
from workers.errors import Unavailable

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_OK = 200
_CREATED = 201
_ACCEPTED = 202
_UNAUTHORIZED = 401


class PushRefused(Exception):  # noqa: N818 - named for what happened
    """The registry or the token service said no."""


@dataclass(frozen=True, slots=True)
class Image:
    """An OCI image of one layer, as the bytes that are pushed."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


def make_image(content: bytes) -> Image:
    """An image with one small file and no program, for a look at how a push travels."""
    return build_image({"content": content}, {})


def build_image(files: Mapping[str, bytes], config: Mapping[str, object]) -> Image:
    """Build an image; the same arguments give the same digest.

    Args:
        files: the layer's files by path, each executable.
        config: the image's own defaults (``Cmd``, ``Env``, ``Healthcheck``…), OCI image specification, "Image Configuration".
    """
    tar = _tar(files)
    layer = gzip.compress(tar, mtime=0)
    described = {"architecture": _architecture(), "os": "linux", "config": config}
    # The unpacked layer's digest makes each image's configuration its own, as real ones are.
    described["rootfs"] = {"type": "layers", "diff_ids": [digest_of(tar)]}
    configuration = json.dumps(described).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", configuration),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    }
    return Image(layer, configuration, json.dumps(manifest).encode())


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _architecture() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def digest_of(data: bytes) -> str:
    """``sha256:`` and hex."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(slots=True)
class Pusher:
    """One user of one registry."""

    registry: str
    account: str
    password: str
    token: str = ""

    def push(self, image: Image, repository: str, tag: str) -> None:
        """Push an image. Raises PushRefused, or Unavailable."""
        for blob in (image.layer, image.config):
            self._upload(repository, blob)
        answer = self._ask("PUT", f"/v2/{repository}/manifests/{tag}", repository, image.manifest, MANIFEST_TYPE)
        _require(answer, repository)

    def _upload(self, repository: str, blob: bytes) -> None:
        started = self._ask("POST", f"/v2/{repository}/blobs/uploads/", repository)
        if started.status == _UNAUTHORIZED:
            raise PushRefused(f"{self.account} may not push {repository}")
        _require(started, repository, _ACCEPTED)
        location = urlsplit(started.headers["location"])
        mark = "&" if location.query else "?"
        path = f"{location.path}{'?' + location.query if location.query else ''}{mark}digest={digest_of(blob)}"
        _require(self._ask("PUT", path, repository, blob, "application/octet-stream"), repository)

    def _ask(self, method: str, path: str, repository: str, body: bytes = b"", kind: str = "") -> Answer:
        answer = self._send(method, path, body, kind)
        if answer.status == _UNAUTHORIZED:
            self.token = self._fetch(answer, repository)
            answer = self._send(method, path, body, kind)
        return answer

    def _send(self, method: str, path: str, body: bytes, kind: str) -> Answer:
        headers = {"Content-Type": kind} if kind else {"Content-Length": "0"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return request(endpoint_of(self.registry), method, path, headers=headers, body=body or None)

    def _fetch(self, refused: Answer, repository: str) -> str:
        challenge = parse_challenge(refused.headers.get("www-authenticate", ""), registry=self.registry)
        if challenge is None:
            raise PushRefused("the registry names no token service")
        realm = urlsplit(challenge.realm)
        path = f"{realm.path}?service={challenge.service}&scope=repository:{repository}:pull,push"
        credentials = {"Authorization": basic(self.account, self.password.encode()), "User-Agent": "wharfinger-tour"}
        answer = request(endpoint_of(challenge.realm), "GET", path, headers=credentials)
        if answer.status == _UNAUTHORIZED:
            raise PushRefused(f"the token service does not know {self.account} by this password")
        if answer.status != _OK:
            raise Unavailable(f"the token service answered {answer.status}")
        return str(json.loads(answer.body)["token"])


def _require(answer: Answer, repository: str, wanted: int = _CREATED) -> None:
    if answer.status != wanted:
        raise PushRefused(f"the registry answered {answer.status} to a push of {repository}: {answer.body[:300]!r}")
