"""Reads a registry's Bearer challenge, and makes the request for a token. Source: distribution's spec/auth/token.md."""

import base64
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

MANIFEST_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_PARAMETER: Final = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Where to get a token, and for which service."""

    realm: str
    service: str


def parse_challenge(header: str, *, registry: str) -> Challenge | None:
    """Read WWW-Authenticate; None when it is no Bearer challenge, or sends credentials from TLS into the clear."""
    scheme, _, rest = header.partition(" ")
    parameters = dict(_PARAMETER.findall(rest))
    realm = parameters.get("realm", "")
    if scheme.lower() != "bearer" or not _can_be_asked(realm):
        return None
    if urlsplit(registry).scheme == "https" and urlsplit(realm).scheme != "https":
        return None
    return Challenge(realm, parameters.get("service", ""))


def _can_be_asked(realm: str) -> bool:
    try:
        parts = urlsplit(realm)
        port = parts.port
    except ValueError:
        return False  # an address or a port that is none
    of_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0
    return of_http and realm.isascii() and realm.isprintable() and " " not in realm


def token_path(challenge: Challenge, repository: str) -> str:
    """Path and query of the token request, for pulling one repository."""
    url = urlsplit(challenge.realm)
    asked = urlencode({"service": challenge.service, "scope": f"repository:{repository}:pull"})
    return f"{url.path or '/'}?{url.query + '&' if url.query else ''}{asked}"


def basic(account: str, password: bytes) -> str:
    """An Authorization header's value. Source: RFC 7617."""
    return "Basic " + base64.b64encode(account.encode() + b":" + password).decode()
