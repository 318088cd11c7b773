"""Issuing: who is let in, what is recorded before a token leaves, and what a refusal leaves behind."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from authsvc.adapters.static_users import StaticUsers
from authsvc.decide.credentials import costs, dummy_hash
from authsvc.decide.refusals import SINGLE_PER_MINUTE, RefusalSums, unknown_name
from authsvc.decide.request import Claimed, TokenRequest
from authsvc.errors import Unavailable
from authsvc.issue import Client, Denied, Issue, Issued, Rules
from tests.authsvc.fakes import CountedAttempts, KeptIssuances, KeptRefusals, PlainPasswords, PlainSigner, claims_of, plain_hash
from wharfinger.policy import Policy, RuleText, compile_acl
from wharfinger.runtime.settings import Secret, User
from wharfinger.wire.issuance import Credential, Issuance, Refusal
from wharfinger.wire.jti import JtiKeys, Proof, minted_at_ms, verify
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope

RIGHT = "s3cret"
NOW_MS = 1_795_477_894_123
NOW = NOW_MS // 1_000
KEYS = JtiKeys((b"k" * 32,))
POLICY = compile_acl(
    [
        RuleText(account="zoe", name="shop/*", actions=("pull", "push")),
        RuleText(ip="10.0.0.0/8", actions=("pull",)),
        RuleText(account="", name="public", actions=("pull",)),
    ]
)
ZOE = User("zoe", Secret(plain_hash(b"s3cret")), 1)
OPEN = User("open", None, 2)
ANYBODY = User("", None, 3)
CLIENT = Client("192.0.2.7", "10.9.9.9", "docker/28")
SHOP = Scope("repository", "shop/cart", ("pull", "push"))


class House:
    """The use case on fakes, with its clock."""

    def __init__(self, *users: User) -> None:
        assert isinstance(POLICY, Policy)
        self.now_ms = NOW_MS
        self.attempts = CountedAttempts()
        self.passwords, self.issuances, self.refusals = PlainPasswords(), KeptIssuances(), KeptRefusals()
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.drawn = 0
        self.issue = Issue(
            rules=Rules(
                issuer="wharfinger",
                expiration_s=900,
                policy=POLICY,
                authenticators=(StaticUsers(users, self.passwords, KEYS.keys[0]),),
                authorizers={},
                signer=PlainSigner(),
                keys=KEYS,
                known=frozenset(user.name for user in users),
                costs=costs({user.name: user for user in users}),
                ready={},
                key_ends={},
                log_tokens=False,
            ),
            passwords=self.passwords,
            attempts=self.attempts,
            issuances=self.issuances,
            refusals=self.refusals,
            clock=lambda: self.now_ms,
            nonces=self._draw,
            sums=RefusalSums(),
            log=self._log,
        )

    def issue_of(self, issuer: str) -> Issue:
        """The same under another name."""
        return replace(self.issue, rules=replace(self.issue.rules, issuer=issuer))

    def _draw(self, bits: int) -> int:
        self.drawn += 1
        return self.drawn % (1 << bits)

    def _log(self, event: str, /, **fields: object) -> None:
        self.logged.append((event, fields))

    async def token(self, request: TokenRequest, client: Client = CLIENT) -> tuple[dict[str, Any], Issuance]:
        """The claims of a token that is given, and its record."""
        outcome = await self.issue.run(request, client)
        assert isinstance(outcome, Issued)
        assert outcome.body["token"] == outcome.body["access_token"]
        return claims_of(str(outcome.body["token"])), self.issuances.recorded[-1]

    async def refused(self, request: TokenRequest) -> str:
        """Why a token is not given."""
        outcome = await self.issue.run(request, CLIENT)
        assert isinstance(outcome, Denied)
        assert not self.issuances.recorded
        return outcome.reason


def ask(account: str | None, password: str = RIGHT, *scopes: Scope, oauth: bool = False) -> TokenRequest:
    """A request; account None is anonymous."""
    claimed = None if account is None else Claimed(account, password, "form" if oauth else "basic")
    return TokenRequest(claimed, "registry", scopes, "docker", oauth)


async def test_a_token_and_its_record() -> None:
    """Every field of both, for a user with a password."""
    claims, issuance = await House(ZOE).token(ask("zoe", "s3cret", SHOP))
    jti = Jti(str(claims["jti"]))
    assert claims == {
        "iss": "wharfinger",
        "sub": f"zoe#{jti}",
        "aud": "registry",
        "exp": NOW + 900,
        "nbf": NOW - 10,
        "iat": NOW,
        "jti": jti,
        "access": [{"type": "repository", "name": "shop/cart", "actions": ["pull", "push"]}],
    }
    assert isinstance(POLICY, Policy)
    assert issuance == Issuance(
        jti=jti,
        account=Account("zoe"),
        credential=Credential(kind="static", id=issuance.credential.id),
        authenticated_by="basic",
        client_addr="192.0.2.7",
        claimed_addr="10.9.9.9",
        user_agent="docker/28",
        client_id="docker",
        service="registry",
        asked=(SHOP,),
        granted=(SHOP,),
        rules=(1,),
        deciders=("acl",),
        policy=POLICY.hash,
        issued_at=NOW,
        not_before=NOW - 10,
        expires_at=NOW + 900,
    )
    assert issuance.credential.id
    assert (verify(KEYS, unverified_jti=jti, account=Account("zoe")), minted_at_ms(jti)) == (Proof.AUTHENTIC, NOW_MS)


async def test_the_answer() -> None:
    """How long it lives is always said; an OAuth2 client is told what was granted, too."""
    house = House(ZOE)
    other = Scope("repository", "else", ("pull",))
    plain, oauth = [await house.issue.run(ask("zoe", "s3cret", SHOP, other, oauth=by), CLIENT) for by in (False, True)]
    assert isinstance(plain, Issued)
    assert isinstance(oauth, Issued)
    assert (plain.body["expires_in"], plain.body["issued_at"]) == (900, "2026-11-23T23:51:34Z")
    assert "scope" not in plain.body
    assert (oauth.body["scope"], oauth.body["token_type"]) == ("repository:shop/cart:pull,push", "Bearer")
    assert [one.authenticated_by for one in house.issuances.recorded] == ["basic", "form"]


async def test_less_access_is_still_a_token() -> None:
    """Each asked scope has its entry, in its order and as often as asked; granted is what has an action."""
    asked = (Scope("repository", "fedora", ("push",)), SHOP, SHOP, Scope("registry", "catalog", ("*",)))
    claims, issuance = await House(ZOE).token(ask("zoe", "s3cret", *asked))
    assert [entry["actions"] for entry in claims["access"]] == [[], ["pull", "push"], ["pull", "push"], []]
    assert (issuance.asked, issuance.granted, issuance.rules) == (asked, (SHOP, SHOP), (None, 1, 1, None))


async def test_nothing_asked_is_a_login() -> None:
    """A token for nothing proves the password."""
    claims, issuance = await House(ZOE).token(ask("zoe"))
    assert (claims["access"], issuance.asked, issuance.rules) == ([], (), ())


async def test_anonymous() -> None:
    """Nobody's token has an id too, and a record that says how nobody was authenticated."""
    claims, issuance = await House(ZOE, ANYBODY).token(ask(None, "", Scope("repository", "public", ("pull",))))
    assert claims["sub"] == f"#{claims['jti']}"
    assert (issuance.account, issuance.authenticated_by) == ("", "none")
    assert issuance.credential == Credential(kind="anonymous", id="")
    assert [str(one) for one in issuance.granted] == ["repository:public:pull"]


async def test_a_user_without_a_password() -> None:
    """docker_auth's ``{}``: whatever is given, it is this account; nothing is compared."""
    house = House(OPEN)
    _, issuance = await house.token(ask("open", "anything"))
    assert (issuance.account, issuance.credential.kind, house.passwords.compared) == ("open", "static", [])


@pytest.mark.parametrize(
    ("client", "granted"),
    [
        (Client("10.1.2.3", "", ""), ("pull",)),
        (Client("::ffff:10.1.2.3", "", ""), ("pull",)),
        (Client("192.0.2.7", "10.9.9.9", ""), ()),
        (Client("", "10.9.9.9", ""), ()),
    ],
)
async def test_the_sockets_address_decides(client: Client, granted: tuple[str, ...]) -> None:
    """What a header claims opens nothing; without an address no address rule matches."""
    scope = Scope("repository", "else", ("pull",))
    _, issuance = await House(ANYBODY).token(ask(None, "", scope), client)
    assert [one.actions for one in issuance.granted] == [granted] * bool(granted)
    assert (issuance.client_addr, issuance.claimed_addr) == (client.addr, client.claimed_addr)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask("zoe", "wrong"), "wrong_password"),
        (ask("zoe", ""), "wrong_password"),
        (ask("nobody", "s3cret"), "unknown_account"),
        (ask(None), "anonymous_disabled"),
    ],
)
async def test_refusals(request_: TokenRequest, reason: str) -> None:
    """No token, and one record that says why and from where."""
    house = House(ZOE)
    assert await house.refused(replace(request_, scopes=(SHOP,))) == reason
    (refusal,) = house.refusals.recorded
    assert (refusal.reason, refusal.client_addr, refusal.network) == (reason, "192.0.2.7", "192.0.2.0/24")
    assert (refusal.asked, refusal.service, refusal.user_agent) == ((SHOP,), "registry", "docker/28")
    assert (refusal.since, refusal.until, refusal.count) == (NOW, NOW, 1)


async def test_the_names_in_refusals() -> None:
    """A known account by its name; an unknown one, which may be a password, by a hash; nobody by neither."""
    house = House(ZOE)
    for request in (ask("zoe", "wrong"), ask("pa55w0rd", "x"), ask("pa55w0rd", "y"), ask(None)):
        await house.refused(request)
    known, unknown, again, nobody = house.refusals.recorded
    assert (known.account, known.account_hash) == ("zoe", "")
    assert (unknown.account, unknown.account_hash) == ("", unknown_name(KEYS.keys[0], "pa55w0rd"))
    assert again.account_hash == unknown.account_hash
    assert (nobody.account, nobody.account_hash) == ("", "")
    assert len({one.id for one in house.refusals.recorded}) == 4
    assert "pa55w0rd" not in repr(house.refusals.recorded) + repr(house.logged)


async def test_an_unknown_name_takes_a_compare_too() -> None:
    """The time taken does not tell which names exist, and the dummy's password lets nobody in."""
    house = House(ZOE)
    await house.refused(ask("nobody"))
    assert house.passwords.compared == [dummy_hash(KEYS.keys[0], costs({"zoe": ZOE}), "nobody")]


async def test_who_is_held_back() -> None:
    """Is told when to try again, whatever the password; nothing is compared, and the memory is not asked either."""
    house = House(ZOE)
    house.attempts.pauses["zoe"] = 4
    house.passwords.remembered.add((RIGHT.encode(), plain_hash(RIGHT.encode())))
    outcome = await house.issue.run(ask("zoe"), CLIENT)
    assert outcome == Denied("backed_off", 4, "zoe")
    assert (house.passwords.compared, house.attempts.counted) == ([], [])
    assert [one.reason for one in house.refusals.recorded] == ["backed_off"]


async def test_what_counts_as_a_try() -> None:
    """Every password that was proved or not, of anybody's name; a remembered one proves without a compare; nobody is no try."""
    house = House(ZOE, ANYBODY)
    for one in (ask("zoe"), ask("zoe", "wrong"), ask("nobody", "x"), ask(None)):
        await house.issue.run(one, CLIENT)
    assert house.attempts.counted == [("zoe", CLIENT.addr, True), ("zoe", CLIENT.addr, False), ("nobody", CLIENT.addr, False)]
    compared = len(house.passwords.compared)
    house.passwords.remembered.add((RIGHT.encode(), plain_hash(RIGHT.encode())))
    await house.token(ask("zoe"))
    assert (house.attempts.counted[-1], len(house.passwords.compared)) == (("zoe", CLIENT.addr, True), compared)


async def test_no_record_no_token() -> None:
    """A token that could not be recorded does not leave."""
    house = House(ZOE)
    house.issuances.gone = True
    with pytest.raises(Unavailable):
        await house.issue.run(ask("zoe", "s3cret", SHOP), CLIENT)


async def test_recorded_before_released() -> None:
    """While the record is on its way, so is the token."""
    house = House(ZOE)
    house.issuances.durable = asyncio.Event()
    running = asyncio.create_task(house.issue.run(ask("zoe", "s3cret", SHOP), CLIENT))
    await house.issuances.asked.wait()
    assert not running.done()
    house.issuances.durable.set()
    assert isinstance(await running, Issued)


async def test_too_many_at_once() -> None:
    """When too many passwords wait, nobody is refused for a wrong one: the client is asked to come again."""
    house = House(ZOE)
    house.passwords.full = True
    with pytest.raises(Unavailable):
        await house.issue.run(ask("zoe"), CLIENT)
    assert house.refusals.recorded == []


async def test_a_refusal_that_cannot_be_recorded() -> None:
    """Access stays refused, and that a line of the trail was lost is said without whose."""
    house = House(ZOE)
    house.refusals.gone = True
    assert await house.refused(ask("zoe", "wrong")) == "wrong_password"
    assert [event for event, _ in house.logged] == ["refusal.unrecorded"]
    assert "zoe" not in repr(house.logged)


async def test_many_refusals_are_summed_up() -> None:
    """Ten in a minute are recorded one by one, the rest as one record once the minute is over."""
    house = House(ZOE)
    for _ in range(SINGLE_PER_MINUTE + 3):
        await house.refused(ask("zoe", "wrong"))
    assert len(house.refusals.recorded) == SINGLE_PER_MINUTE
    await house.issue.flush()
    assert len(house.refusals.recorded) == SINGLE_PER_MINUTE
    house.now_ms += 60_000
    await house.issue.flush()
    assert [one.count for one in house.refusals.recorded] == [1] * SINGLE_PER_MINUTE + [3]


async def test_the_last_sums() -> None:
    """At the end every sum is recorded, whatever its minute."""
    house = House(ZOE)
    for _ in range(SINGLE_PER_MINUTE + 1):
        await house.refused(ask("zoe", "wrong"))
    await house.issue.flush(everything=True)
    summed: Refusal = house.refusals.recorded[-1]
    assert (len(house.refusals.recorded), summed.reason, summed.account) == (SINGLE_PER_MINUTE + 1, "wrong_password", "zoe")
