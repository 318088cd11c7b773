"""What a configuration decides in the token service."""

from pathlib import Path

import pytest

from authsvc.app import make_rules
from authsvc.errors import Misconfigured
from authsvc.metrics import TABLE
from wharfinger.policy import Options
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import (
    AclRule,
    Address,
    AuthSettings,
    PolicySettings,
    Secret,
    ServerSettings,
    SigningKey,
    TokenSettings,
    User,
)


class Unused:
    """A signer and a password check that nobody asks: deciding is not about them."""

    def sign(self, claims: object, *, service: str, now: int) -> str:
        """Not called."""
        raise AssertionError

    public = ()

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Not called."""
        raise AssertionError

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Not called."""
        raise AssertionError


METER = Board(TABLE).meter()


def settings(*rules: AclRule, policy: PolicySettings) -> AuthSettings:
    """A token service's settings."""
    key = SigningKey("first", Path("token.crt"), Path("token.key"))
    token = TokenSettings("i", 900, (key,), (Secret(b"k" * 32),))
    return AuthSettings(
        ServerSettings(Address("", 5_001)),
        token,
        (User("zoe", None, 1),),
        rules,
        "redis://nowhere",
        Path("journal"),
        policy=policy,
    )


@pytest.mark.parametrize("policy", [PolicySettings(), PolicySettings(union=True, double_star=True, account_lists=True)])
def test_the_list_is_read_as_the_file_asks(policy: PolicySettings) -> None:
    """What stands in ``policy`` reaches the list that decides, and its hash."""
    rules = make_rules(settings(AclRule(1, actions=("pull",)), policy=policy), Unused(), Unused(), METER)
    assert rules.policy is not None
    assert rules.policy.options == Options(policy.union, policy.double_star, policy.account_lists)


def test_a_faulty_list_is_refused() -> None:
    """Whoever changed the file meanwhile: no service without a list that can be read."""
    with pytest.raises(Misconfigured, match="the access list has faults"):
        make_rules(settings(AclRule(1, name="/(/"), policy=PolicySettings()), Unused(), Unused(), METER)
