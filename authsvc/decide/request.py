"""Reads a token request: method, query, headers and form into a value, or a refusal for the client. Checks no password.

Sources: distribution's docs/content/spec/auth/{token,oauth}.md for the two forms, docker_auth's ParseRequest for what its
clients may send. Refused although docker_auth takes it: an empty first scope before others (it drops them), and ``account``
without credentials (a way in as any user that has no password).
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from wharfinger.wire.scope import Scope, ScopeFault, parse_scopes

MAX_FORM: Final = 64 * 1024
"""Bytes of a POST body: a hundred scopes and a CI's id token as password fit."""
MAX_FIELDS: Final = 200
MAX_ACCOUNT: Final = 1_024
"""Characters of who somebody claims to be: wrong names are counted and remembered too, so they must not be without end."""
MAX_TEXT: Final = 256
"""Characters kept of a User-Agent or client id."""
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_UNREADABLE_PAIR: Final = re.compile(r";|%(?![0-9A-Fa-f]{2})")
_TOO_MANY: Final = f"more than {MAX_FIELDS} fields"

_Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Credentials as sent. ``by``: ``basic`` or ``form``."""

    account: str
    password: str = field(repr=False)
    by: str = "basic"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client asks. ``credentials`` None: anonymous. ``oauth``: a POST, answered as OAuth2 does."""

    credentials: Claimed | None
    service: str
    scopes: tuple[Scope, ...]
    client_id: str
    oauth: bool


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A request that cannot be answered. ``code``: OAuth2's word for it (RFC 6749 section 5.2)."""

    problem: str
    code: str = "invalid_request"


def read_get(query: str, authorization: Sequence[str]) -> TokenRequest | BadRequest:
    """Read a GET.

    Args:
        query: the raw query string.
        authorization: the values of the Authorization header; other schemes than Basic count as none.
    """
    pairs = _pairs(query)
    return pairs if isinstance(pairs, BadRequest) else _read(pairs, _basic(authorization), oauth=False)


def read_post(query: str, authorization: Sequence[str], body: bytes) -> TokenRequest | BadRequest:
    """Read a POST: fields of the form before those of the query, as Go's FormValue has them."""
    try:
        form, rest = _pairs(body.decode("utf-8")), _pairs(query)
    except UnicodeDecodeError:
        return BadRequest("the form is not UTF-8")
    if isinstance(form, BadRequest) or isinstance(rest, BadRequest):
        return BadRequest(_TOO_MANY)
    pairs = form + rest
    credentials = _basic(authorization)
    if credentials is None and (username := _first(pairs, "username")) and (password := _first(pairs, "password")):
        credentials = Claimed(username, password, "form")
    grant = _first(form, "grant_type")
    if grant and grant != "password":
        return BadRequest("only grant_type=password is known here", "unsupported_grant_type")
    if grant and not (_first(form, "service") and _first(form, "client_id")):
        return BadRequest("service and client_id are required with grant_type")
    if grant and credentials is None:
        return BadRequest("username and password are required with grant_type=password")
    return _read(pairs, credentials, oauth=bool(grant))


def kept_text(text: str) -> str:
    """What is kept of a client's word for itself: so much of it, and nothing that JSON, SQL or a terminal stumbles over."""
    kept = text[:MAX_TEXT]
    return kept if kept.isprintable() else "".join(letter if letter.isprintable() else "\ufffd" for letter in kept)


def _read(pairs: _Pairs, credentials: Claimed | None, *, oauth: bool) -> TokenRequest | BadRequest:
    account = _first(pairs, "account")
    if credentials is not None and len(credentials.account) > MAX_ACCOUNT:
        return BadRequest(f"the account is longer than {MAX_ACCOUNT} characters")
    if credentials is not None and account and account != credentials.account:
        return BadRequest("user and account are not the same")
    texts = [value for name, value in pairs if name == "scope"]
    # An empty one alone asks for nothing, as clients mean it that log in so.
    scopes = parse_scopes(texts if any(texts) else ())
    if isinstance(scopes, ScopeFault):
        return BadRequest(f"invalid scope: {scopes.problem}", "invalid_scope")
    service = _first(pairs, "service")
    if not _printable(service):
        return BadRequest("service holds what no name does")
    return TokenRequest(credentials, service, scopes, kept_text(_first(pairs, "client_id")), oauth)


def _basic(authorization: Sequence[str]) -> Claimed | None:
    if not authorization:
        return None
    scheme, _, encoded = authorization[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        # Bytes that are no text are credentials all the same, of nobody: they must not become the anonymous client's.
        text = binascii.a2b_base64(encoded, strict_mode=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return None
    account, colon, password = text.partition(":")
    return Claimed(account, password) if colon else None


def _pairs(text: str) -> _Pairs | BadRequest:
    found: _Pairs = []
    for pair in text.split("&"):
        # A semicolon or a broken escape makes Go drop that one pair.
        if not pair or _UNREADABLE_PAIR.search(pair) is not None:
            continue
        if len(found) == MAX_FIELDS:
            return BadRequest(_TOO_MANY)
        name, _, value = pair.partition("=")
        found.append((_plain(name), _plain(value)))
    return found


def _plain(text: str) -> str:
    """A name or value of a form, its escapes resolved; what is no UTF-8 becomes U+FFFD."""
    return unquote(text.replace("+", " "))


def _first(pairs: _Pairs, name: str) -> str:
    for key, value in pairs:
        if key == name:
            return value
    return ""


def _printable(text: str) -> bool:
    return len(text) <= MAX_TEXT and text.isprintable()
