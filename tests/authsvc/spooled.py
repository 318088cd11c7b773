"""Records for tests of recording: told apart by a number, in whose order their ids are."""

from wharfinger.wire.issuance import Credential, Issuance, Refusal
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope

NOW = 1_795_477_894


def issuance(number: int) -> Issuance:
    """A token's record."""
    return Issuance(
        jti=Jti(f"P7EDuDlmaqA2s52sRqx2{number:06d}"),
        account=Account("zoe"),
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="192.0.2.7",
        user_agent="docker\n/28",
        service="registry",
        asked=(Scope("repository", "shop/cart", ("pull", "push")),),
        granted=(Scope("repository", "shop/cart", ("pull",)),),
        rules=(1,),
        deciders=("acl",),
        issued_at=NOW,
        not_before=NOW - 10,
        expires_at=NOW + 900,
    )


def refusal(number: int) -> Refusal:
    """A refused request's record."""
    return Refusal(id=f"ref_{number:x}", reason="wrong_password", account=Account("zoe"), since=NOW, until=NOW)
