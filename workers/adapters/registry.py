"""Asks a registry for a tag's digest, with the source's own pull-only account. Trusts the operator's URL, and its realm."""

import json
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from wharfinger.runtime.settings import Source
from workers.adapters.http import Answer, Endpoint, request
from workers.decide.challenge import MANIFEST_TYPES, basic, parse_challenge, token_path
from workers.errors import Unavailable

TIMEOUT_S: Final = 5.0
_FOUND: Final = 200
_UNAUTHORIZED: Final = 401
_MISSING: Final = 404
_DIGEST: Final = re.compile(r"[A-Za-z0-9+._-]{1,64}:[A-Za-z0-9=_-]{1,256}", re.ASCII)
"""Something that may be one (OCI image specification, "Digests"): it goes into reasons, and a header may hold anything."""


class RegistryTags:
    """The port ``TagLookup`` over every configured source."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {source.name: source for source in sources}
        self._tokens: dict[tuple[str, str], str] = {}

    def digest(self, source: str, repository: str, tag: str) -> str | None:
        """HEAD of the manifest; a token is fetched when asked for one, and kept until it is refused."""
        found = self._sources.get(source)
        if found is None:
            raise Unavailable(f"the configuration has no source {source} any more")
        answer = self._head(found, repository, tag)
        if answer.status == _UNAUTHORIZED:
            self._tokens[source, repository] = self._fetch(found, repository, answer)
            answer = self._head(found, repository, tag)
        if answer.status == _MISSING:
            return None
        digest = answer.headers.get("docker-content-digest")
        if answer.status != _FOUND or digest is None or _DIGEST.fullmatch(digest) is None:
            raise Unavailable(f"the registry of {source} answered {answer.status} when asked for {repository}:{tag}")
        return digest

    def _head(self, source: Source, repository: str, tag: str) -> Answer:
        token = self._tokens.get((source.name, repository))
        headers = {"Accept": MANIFEST_TYPES} | ({"Authorization": f"Bearer {token}"} if token else {})
        path = f"{urlsplit(source.registry).path}/v2/{quote(repository)}/manifests/{quote(tag, safe='')}"
        return request(endpoint_of(source.registry, source.ca), "HEAD", path, headers=headers, timeout_s=TIMEOUT_S)

    def _fetch(self, source: Source, repository: str, refused: Answer) -> str:
        challenge = parse_challenge(refused.headers.get("www-authenticate", ""), registry=source.registry)
        if challenge is None:
            raise Unavailable(f"the registry of {source.name} refuses, and names no token service that can be used")
        headers = {"Authorization": basic(source.account, source.password.reveal())} if source.password else {}
        realm = endpoint_of(challenge.realm, source.ca)
        answer = request(realm, "GET", token_path(challenge, repository), headers=headers, timeout_s=TIMEOUT_S)
        if answer.status != _FOUND:
            raise Unavailable(f"the token service of {source.name} answered {answer.status} to account {source.account!r}")
        try:
            body = json.loads(answer.body)
            return str(body.get("token") or body["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            raise Unavailable(f"the token service of {source.name} answered without a token") from error


def endpoint_of(url: str, ca: Path | None = None) -> Endpoint:
    """Where a URL of the operator's is, and by which authority it is trusted. Raises Unavailable: its name does not resolve."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{parts.hostname} cannot be resolved: {error.strerror}") from error
    return Endpoint(parts.hostname or "", port, address=str(found[0][4][0]), tls=tls, ca=str(ca or ""))
