"""A seeded crowd of honest clients on a virtual clock: what they do is a registry's events, each with what it truly is.

Hundreds of clients share a dozen accounts and a score of repositories, all at once. They refresh tokens in the middle of a push,
use several at a time, mount, probe with HEADs, pull by digest, delete, untag, and upload for hours; some tokens' records are
lost, some tokens are another issuer's, and each registry has a clock of its own.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.attribution.truth import BEGIN_MS, HOUR, KEYS, MINUTE, SECOND, Played, Truth, moment
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.jti import NONCE_BITS, JtiKeys, mint
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope
from workers.decide.attribution import Flag, Reason, Verdict

CLIENTS: Final = 240
ACCOUNTS: Final = ("ci", "zoë", "team#ci", "o'brien", "robot$shop", "a", "ann-marie", "日本", "kim", "deploy", "yan", "x" * 64)
REPOSITORIES: Final = (*(f"shop/app{number:02}" for number in range(18)), "ubuntu", "team/base/images")
LIFE_S: Final = 900
Steps = Iterator[int]
"""What a client does: it pauses, in milliseconds, between the things it does."""


@dataclass(frozen=True)
class Token:
    """A token that a client has. ``kept``: its record was not lost."""

    issuance: Issuance
    kept: bool = True

    @property
    def subject(self) -> str:
        """What a registry says of it."""
        return f"{self.issuance.account}#{self.issuance.jti}"


@dataclass(frozen=True)
class Issued:
    """A token's record, and when it was written."""

    at_ms: int
    issuance: Issuance


class Crowd:
    """All of it, from one seed."""

    def __init__(self, seed: int, *, plain: bool = False) -> None:
        """``plain``: tokens carry the account alone, as ``token.subject: account`` has it."""
        self.random = random.Random(seed)
        self.now_ms = BEGIN_MS
        self.plain = plain
        self.tokens: list[Token] = []
        self.issued: list[Issued] = []
        self.played: list[Played] = []
        self.reused: set[str] = set()
        """Event ids that somebody used again, once each: the same body twice would be one event."""
        self._turns: list[tuple[int, int, Steps]] = []
        self._joined = 0

    def join(self, steps: Steps) -> None:
        """Somebody more, who begins within a minute."""
        self._joined += 1
        heapq.heappush(self._turns, (self.now_ms + self.random.randrange(MINUTE), self._joined, steps))

    def play(self, events: int) -> None:
        """Let everybody do what they do, in the order of the clock, until there were so many events."""
        while len(self.played) < events:
            at_ms, number, steps = heapq.heappop(self._turns)
            self.now_ms = at_ms
            heapq.heappush(self._turns, (at_ms + next(steps), number, steps))

    def mint(self, account: str, keys: JtiKeys | None = None, *, ago_ms: int = 0) -> Jti:
        """A token id of now, or of some time ago."""
        # After a rotation ids of the key before it go on being used.
        mine = keys or (KEYS if self.random.random() < 0.9 else JtiKeys(KEYS.keys[1:]))
        return mint(mine, account=Account(account), now_ms=self.now_ms - ago_ms, nonce=self.random.getrandbits(NONCE_BITS))

    def token(
        self, account: str, addr: str, *scopes: Scope, lost: bool = False, claimed_addr: str = "", ago_ms: int = 0
    ) -> Token:
        """A token, recorded before anybody has it."""
        now = (self.now_ms - ago_ms) // 1_000
        issuance = Issuance(
            jti=self.mint(account, ago_ms=ago_ms), account=Account(account), credential=Credential(kind="static", id=f"c-{account[:8]}"),
            authenticated_by="basic", client_addr=addr, claimed_addr=claimed_addr, user_agent="docker/28", service="registry",
            asked=scopes, granted=scopes, rules=tuple(1 for _ in scopes), issued_at=now, not_before=now - 10, expires_at=now + LIFE_S,
        )  # fmt: skip
        token = Token(issuance, kept=not lost)
        if not lost:
            self.issued.append(Issued(self.now_ms - ago_ms, issuance))
            self.tokens.append(token)
        return token

    def tell(self, actor: str | None, truth: Truth, **said: Any) -> Played:
        """An event of now, as a registry tells it."""
        at_ms = said.pop("at_ms", self.now_ms)
        request = {"id": f"{self.random.getrandbits(128):032x}", "host": "registry:5000", "method": said.pop("method")}
        if addr := said.pop("addr", ""):
            request["addr"] = f"{addr}:{self.random.randrange(1_024, 65_536)}"
        event = {
            "id": f"{self.random.getrandbits(128):032x}",
            "timestamp": moment(at_ms),
            "action": said.pop("action"),
            "target": said,
            "request": request,
            "actor": {} if actor is None else {"name": actor},
            "source": {"addr": ":5000", "instanceID": "7a2f3c9e-0000-4000-8000-000000000001"},
        }
        played = Played(event, truth, self._arrivals())
        self.played.append(played)
        return played

    def _arrivals(self) -> tuple[int, ...]:
        # Most are posted at once. A registry whose notifier was away brings them late, and in another order. What was not
        # answered in time comes again.
        chance = self.random.random()
        longest = 200 if chance < 0.9 else 5 * MINUTE if chance < 0.99 else 6 * HOUR
        first = self.now_ms + self.random.randrange(5, longest)
        again = self.random.choice((0,) * 30 + (1, 1, 2))
        return (first, *(first + self.random.randrange(SECOND, 10 * MINUTE) for _ in range(again)))

    def digest(self) -> str:
        """A new one."""
        return f"sha256:{self.random.getrandbits(256):064x}"


class Client:
    """One of them, with its own address, clock of its registry, and proxy in between."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self._random = crowd.random
        self.account = ACCOUNTS[number % len(ACCOUNTS)]
        self.addr = f"10.0.{number // 250}.{number % 250 + 1}"
        self._clock_ms = self._random.randrange(-4 * MINUTE, 4 * MINUTE)
        # Through another way to the registry than to the token service; a few say so, and then it is no difference.
        self._seen = f"192.0.2.{number % 250 + 1}" if number % 20 == 0 else self.addr
        self._claims = self._seen if number % 40 == 0 else ""

    def life(self) -> Steps:
        """Forever one thing after another."""
        # Anonymous pulls are every third one's, besides.
        doings = [self._push] * 6 + [self._pull] * 6 + [self._clean, self._upload_for_hours, self._older_token]
        while True:
            yield self._random.randrange(SECOND, 4 * MINUTE)
            yield from self._random.choice(doings)()

    def _token(self, *scopes: Scope, account: str | None = None, ago_ms: int = 0) -> Token:
        lost = not self._crowd.plain and self._random.random() < 0.02
        mine = self.account if account is None else account
        return self._crowd.token(mine, self.addr, *scopes, lost=lost, claimed_addr=self._claims, ago_ms=ago_ms)

    def _do(self, token: Token, action: str, repository: str, **said: Any) -> None:
        issuance = token.issuance
        flagged = {*said.pop("flags", ()), *((Flag.ADDR_DIFFERS,) if self._seen != self.addr and not self._claims else ())}
        if token.kept:
            truth = Truth(
                Verdict.EXACT, account=issuance.account, jti=issuance.jti, true_jti=issuance.jti, flags=frozenset(flagged)
            )
        else:
            truth = Truth(Verdict.UNATTRIBUTED, Reason.RECORD_LOST, issuance.account, issuance.jti, issuance.jti)
        actor = issuance.account if self._crowd.plain else token.subject
        at_ms = said.pop("at_ms", self._crowd.now_ms + self._clock_ms)
        self._crowd.tell(actor, truth, at_ms=at_ms, addr=self._seen, action=action, repository=repository, **said)

    def _blob(self, token: Token, action: str, method: str, repository: str, digest: str = "", **said: Any) -> None:
        self._do(
            token, action, repository, method=method, mediaType="application/octet-stream",
            digest=digest or self._crowd.digest(), size=self._random.randrange(1, 1 << 30), **said,
        )  # fmt: skip

    def _manifest(self, token: Token, action: str, method: str, repository: str, **said: Any) -> None:
        kind = said.pop("kind", "manifest")
        whole = {"mediaType": f"application/vnd.oci.image.{kind}.v1+json", "digest": self._crowd.digest(), "size": 1_234} | said
        self._do(token, action, repository, method=method, **whole)

    def _push(self) -> Steps:
        repository, base = self._random.sample(REPOSITORIES, 2)
        scopes = (Scope("repository", repository, ("pull", "push")), Scope("repository", base, ("pull",)))
        tokens = [self._token(*scopes)]
        if self._random.random() < 0.3:
            # skopeo and buildkit ask for one for each connection.
            tokens.append(self._token(Scope("repository", repository, ("*",)), scopes[1]))
        for _ in range(self._random.randrange(1, 7)):
            yield self._random.randrange(5, 3 * SECOND)
            digest, chance = self._crowd.digest(), self._random.random()
            if self._random.random() < 0.5:
                self._blob(self._random.choice(tokens), "pull", "HEAD", repository, digest)
            if chance < 0.2:
                self._blob(self._random.choice(tokens), "mount", "POST", repository, digest, fromRepository=base)
            else:
                self._blob(self._random.choice(tokens), "push", "PUT", repository, digest)
            if self._random.random() < 0.15:
                # It ran out, or a server said 401: another one in the middle, and the old one's last upload still goes on.
                tokens = [tokens[-1], self._token(*scopes)]
        yield self._random.randrange(5, SECOND)
        token, tag = tokens[-1], f"v{self._random.randrange(100)}"
        if self._random.random() < 0.2:
            for _ in range(2):
                self._manifest(token, "push", "PUT", repository)
            self._manifest(token, "push", "PUT", repository, tag=tag, kind="index")
        else:
            self._manifest(token, "push", "PUT", repository, tag=tag)

    def _pull(self) -> Steps:
        repository, digest = self._random.choice(REPOSITORIES), self._crowd.digest()
        token = self._token(Scope("repository", repository, ("pull",)), account="" if self._random.random() < 0.3 else None)
        # docker: HEAD by tag, then GET by digest.
        self._manifest(token, "pull", "HEAD", repository, digest=digest, tag="latest")
        yield self._random.randrange(5, 500)
        self._manifest(token, "pull", "GET", repository, digest=digest)
        for _ in range(self._random.randrange(6)):
            yield self._random.randrange(5, 2 * SECOND)
            self._blob(token, "pull", "GET", repository)

    def _clean(self) -> Steps:
        repository = self._random.choice(REPOSITORIES)
        token = self._token(Scope("repository", repository, ("delete", "pull")))
        yield self._random.randrange(5, SECOND)
        self._do(token, "delete", repository, method="DELETE", tag=f"v{self._random.randrange(100)}")
        self._do(token, "delete", repository, method="DELETE", digest=self._crowd.digest())

    def _upload_for_hours(self) -> Steps:
        repository = self._random.choice(REPOSITORIES)
        # Longer than anybody uploads is to be looked at, and the token is the right one all the same.
        too_long = self._random.random() < 0.2
        ago_ms = 26 * HOUR if too_long else self._random.randrange(3 * HOUR, 20 * HOUR)
        token = self._token(Scope("repository", repository, ("pull", "push")), ago_ms=ago_ms)
        yield self._random.randrange(5, SECOND)
        self._blob(token, "push", "PUT", repository, flags=(Flag.LONG_AFTER_EXPIRY,) if too_long and token.kept else ())

    def _older_token(self) -> Steps:
        """Of another issuer, or from before tokens had ids: it names somebody, or nobody at all."""
        yield self._random.randrange(5, SECOND)
        if self._crowd.plain:
            return
        named = self._random.choice((self.account.replace("#", "-"), "bearer", None))
        truth = Truth(Verdict.UNATTRIBUTED, Reason.NO_ID if named else Reason.NO_ACTOR, named or "")
        self._crowd.tell(
            named,
            truth,
            action="pull",
            method="GET",
            repository="ubuntu",
            mediaType="application/octet-stream",
            digest=self._crowd.digest(),
        )


def crowd(seed: int, *, plain: bool = False, clients: int = CLIENTS) -> Crowd:
    """Everybody, before they do anything."""
    made = Crowd(seed, plain=plain)
    for number in range(clients):
        made.join(Client(made, number).life())
    return made
