"""Decides what a program is told and what its end means: docker_auth's ``ext_auth`` and ``ext_authz``. Runs nothing.

Source: docker_auth's authn/ext_auth.go and authz/ext_authz.go. Not kept: an account that holds a space or what cannot be
printed is nobody's here. ``USER PASSWORD`` is parted by the first space, so a program would be asked for another account than
the token is for, and ``alice `` would not be held by a rule for ``alice``.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from authsvc.decide.credentials import Identity, Labels, NoMatch, WrongPassword, fingerprint
from authsvc.decide.request import Claimed
from wharfinger.policy import Request
from wharfinger.policy.address import plain
from wharfinger.wire.codec import encode
from wharfinger.wire.issuance import Credential
from wharfinger.wire.names import Account

EXT_AUTH: Final = "ext_auth"
EXT_AUTHZ: Final = "ext_authz"
_LABELS: Final = dict[str, list[str] | None] | None
_GO_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it wrote. ``code``: negative after a signal."""

    code: int
    output: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Faulty:
    """A program that did not say what it must; ``problem`` never holds what it wrote."""

    problem: str


def credentials_for(claimed: Claimed | None) -> bytes | None:
    """What ``ext_auth`` reads: account, one space, password, no newline; None: no account that it could be asked for."""
    if claimed is None:
        return b" "
    if " " in claimed.account or not claimed.account.isprintable():
        return None
    return f"{claimed.account} {claimed.password}".encode("utf-8", "surrogateescape")


def authenticated(ended: Ended, *, account: str, key: bytes) -> Identity | NoMatch | WrongPassword | Faulty:
    """What the end of ``ext_auth`` means for an account. ``key`` fingerprints the credential."""
    match ended.code:
        case 0:
            labels = _labels(ended.output)
            return labels if isinstance(labels, Faulty) else Identity(Account(account), _credential(key, account), labels)
        case 1:
            return WrongPassword()
        case 2:
            return NoMatch()
        case code:
            return Faulty(f"{EXT_AUTH} ended with {code}")


def question_for(asked: Request) -> bytes:
    """What ``ext_authz`` reads: the request as Go's encoding/json writes it, to the byte."""
    labels = {name: list(values) for name, values in sorted(asked.labels.items())}
    question = {
        "Account": asked.account,
        "Type": asked.type,
        "Name": asked.name,
        "Service": asked.service,
        "IP": "" if asked.ip is None else str(plain(asked.ip)),
        "Actions": list(asked.actions),
        "Labels": labels or None,
    }
    text = encode(question).decode()
    # These stand in strings only, where an escape means the same.
    return "".join(_GO_ESCAPES.get(character, character) for character in text).encode()


def authorized(ended: Ended, asked: Request) -> tuple[str, ...] | Faulty:
    """What the end of ``ext_authz`` grants: all that was asked, or nothing."""
    match ended.code:
        case 0:
            return asked.actions
        case 1:
            return ()
        case code:
            return Faulty(f"{EXT_AUTHZ} ended with {code}")


def _credential(key: bytes, account: str) -> Credential:
    if not account:
        return Credential(kind="anonymous", id="")
    # Nothing is known of the secret behind it: a changed password is the same credential here.
    return Credential(kind=EXT_AUTH, id=fingerprint(key, account, EXT_AUTH.encode()))


def _labels(output: bytes) -> Labels | Faulty:
    if not output:
        return {}
    try:
        answer = msgspec.json.decode(output, type=dict[str, msgspec.Raw] | None) or {}
        # Go's decoder takes a key in whatever case, the last of several.
        raw = [value for name, value in answer.items() if name.lower() == "labels"]
        labels = msgspec.json.decode(raw[-1], type=_LABELS) if raw else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Faulty(f"{EXT_AUTH} wrote what is no {{labels: {{name: [value]}}}}")
    return {name: tuple(values or ()) for name, values in (labels or {}).items()}
