"""The token's claims and the answers around it, as registries 2.8 to 3.1 and their clients need them. Signs nothing.

Sources: distribution's docs/content/spec/auth/{jwt,token,oauth}.md. ``aud`` is a plain string and every time an integer: 2.8
refuses a list, all refuse floats. ``expires_in`` is always said: clients take a missing one for 60 seconds.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Subject
from wharfinger.wire.scope import Scope

BACKDATED_S: Final = 10
"""nbf lies so long before iat: a registry's clock may be behind."""


def claims(issuance: Issuance, *, issuer: str, subject: Subject, access: Sequence[Scope]) -> dict[str, object]:
    """The claim set of one token; every asked scope has its entry, also one without actions."""
    return {
        "iss": issuer,
        "sub": subject,
        "aud": issuance.service,
        "exp": issuance.expires_at,
        "nbf": issuance.not_before,
        "iat": issuance.issued_at,
        "jti": issuance.jti,
        "access": [{"type": one.type, "name": one.name, "actions": list(one.actions)} for one in access],
    }


def answer(token: str, issuance: Issuance, *, oauth: bool) -> Mapping[str, object]:
    """The JSON answer: both names of the token; an OAuth2 POST is told the granted scope too."""
    body: dict[str, object] = {
        "access_token": token,
        "token": token,
        "expires_in": issuance.expires_at - issuance.issued_at,
        "issued_at": _moment(issuance.issued_at),
    }
    if oauth:
        body |= {"token_type": "Bearer", "scope": " ".join(map(str, issuance.granted))}
    return body


@lru_cache(maxsize=2)
def _moment(at: int) -> str:
    """RFC 3339; written once for all tokens of a second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
