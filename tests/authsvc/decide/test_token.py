"""Claims and answers, as registries and clients read them."""

from authsvc.decide.token import answer, claims
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, Jti, Subject
from wharfinger.wire.scope import Scope

SCOPES = (Scope("repository", "a", ("pull", "push")), Scope("repository", "b", ()))
ISSUANCE = Issuance(
    jti=Jti("j"),
    account=Account("zoe"),
    credential=Credential(kind="static", id="1"),
    authenticated_by="basic",
    client_addr="",
    service="registry",
    granted=SCOPES[:1],
    issued_at=1_795_477_894,
    not_before=1_795_477_884,
    expires_at=1_795_478_794,
)


def test_claims() -> None:
    """A plain audience, whole numbers, an entry for every asked scope."""
    assert claims(ISSUANCE, issuer="wharfinger", subject=Subject("zoe#j"), access=SCOPES) == {
        "iss": "wharfinger",
        "sub": "zoe#j",
        "aud": "registry",
        "exp": 1_795_478_794,
        "nbf": 1_795_477_884,
        "iat": 1_795_477_894,
        "jti": "j",
        "access": [
            {"type": "repository", "name": "a", "actions": ["pull", "push"]},
            {"type": "repository", "name": "b", "actions": []},
        ],
    }


def test_answers() -> None:
    """Both names of the token, when it was issued and how long it lasts; OAuth2 is told the scope too."""
    plain = answer("t", ISSUANCE, oauth=False)
    assert plain == {"access_token": "t", "token": "t", "expires_in": 900, "issued_at": "2026-11-23T23:51:34Z"}
    oauth = answer("t", ISSUANCE, oauth=True)
    assert oauth == {**plain, "token_type": "Bearer", "scope": "repository:a:pull,push"}
