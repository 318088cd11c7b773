"""Claims and answers, as registries and clients read them."""

from authsvc.decide.token import answer, claims
from wharfinger.wire.names import Jti, Subject
from wharfinger.wire.scope import Scope

SCOPES = (Scope("repository", "a", ("pull", "push")), Scope("repository", "b", ()))


def test_claims() -> None:
    """A plain audience, whole numbers, an entry for every asked scope."""
    found = claims(
        issuer="wharfinger",
        subject=Subject("zoe#j"),
        service="registry",
        jti=Jti("j"),
        issued_at=1_000,
        expires_at=1_900,
        access=SCOPES,
    )
    assert found == {
        "iss": "wharfinger",
        "sub": "zoe#j",
        "aud": "registry",
        "exp": 1_900,
        "nbf": 990,
        "iat": 1_000,
        "jti": "j",
        "access": [
            {"type": "repository", "name": "a", "actions": ["pull", "push"]},
            {"type": "repository", "name": "b", "actions": []},
        ],
    }


def test_answers() -> None:
    """Both names of the token, when it was issued and how long it lasts; OAuth2 is told the scope too."""
    plain = answer("t", issued_at=1_795_477_894, expires_at=1_795_478_794, granted=SCOPES[:1], oauth=False)
    assert plain == {"access_token": "t", "token": "t", "expires_in": 900, "issued_at": "2026-11-23T23:51:34Z"}
    oauth = answer("t", issued_at=1_795_477_894, expires_at=1_795_478_794, granted=SCOPES[:1], oauth=True)
    assert oauth == {**plain, "token_type": "Bearer", "scope": "repository:a:pull,push"}
