"""Wrongs planted among a crowd's events: each is made of what an honest client did, with one thing about it that is not right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.attribution.clients import ACCOUNTS, REPOSITORIES, Crowd, Steps, Token
from tests.attribution.truth import HOUR, MINUTE, SECOND, STRANGERS, Played, Truth
from wharfinger.wire.jti import ALPHABET
from wharfinger.wire.scope import Scope
from workers.decide.attribution import Flag, Verdict


class Wrongdoer:
    """Somebody who has the notification secret, or a key that leaked; they do one wrong after another."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._random = crowd.random

    def life(self) -> Steps:
        """All kinds in turn, so that none is missing."""
        while True:
            for name, wrong in WRONGS.items():
                yield self._random.randrange(SECOND, 10 * SECOND)
                if self._crowd.tokens:
                    at = len(self._crowd.played)
                    wrong(self)
                    self._crowd.played[at:] = [replace(one, planted=name) for one in self._crowd.played[at:]]

    def _known(self) -> Token:
        """A token that somebody else has."""
        return self._random.choice(self._crowd.tokens[-2_000:])

    def _push(self, actor: str, truth: Truth, *, repository: str = "ubuntu", **said: Any) -> Played:
        whole = {
            "action": "push",
            "method": "PUT",
            "mediaType": "application/octet-stream",
            "digest": self._crowd.digest(),
        } | said
        return self._crowd.tell(actor, truth, repository=repository, **whole)

    def invented(self) -> None:
        """An id of the right shape, made with a key that is not ours."""
        account = self._random.choice(ACCOUNTS)
        jti = self._crowd.mint(account, STRANGERS)
        self._push(f"{account}#{jti}", Truth(Verdict.FORGED, account=account, jti=jti))

    def altered(self) -> None:
        """A known id with one letter changed."""
        issuance = self._known().issuance
        at = self._random.randrange(len(issuance.jti))
        letter = self._random.choice([one for one in ALPHABET if one != issuance.jti[at]])
        jti = issuance.jti[:at] + letter + issuance.jti[at + 1 :]
        self._push(f"{issuance.account}#{jti}", Truth(Verdict.FORGED, account=issuance.account, jti=jti))

    def foreign(self) -> None:
        """A known id under another account."""
        issuance = self._known().issuance
        account = self._random.choice([one for one in (*ACCOUNTS, "") if one != issuance.account])
        truth = Truth(Verdict.ACCOUNT_MISMATCH, account=account, jti=issuance.jti)
        self._push(f"{account}#{issuance.jti}", truth)

    def foreign_and_lost(self) -> None:
        """The same of a token whose record is nowhere: the id itself says that it is not this account's."""
        account, other = self._random.sample(ACCOUNTS, 2)
        lost = self._crowd.token(account, "10.1.1.1", lost=True).issuance
        self._push(f"{other}#{lost.jti}", Truth(Verdict.FORGED, account=other, jti=lost.jti))

    def _outside(self, token: Token, **said: Any) -> None:
        issuance = token.issuance
        truth = Truth(Verdict.OUTSIDE_GRANT, account=issuance.account, jti=issuance.jti, true_jti=issuance.jti)
        self._push(token.subject, truth, **said)

    def _reader(self, *more: Scope) -> Token:
        return self._crowd.token(self._random.choice(ACCOUNTS), "10.1.1.1", Scope("repository", "ubuntu", ("pull",)), *more)

    def wider_action(self) -> None:
        """A push with a token that may only pull."""
        self._outside(self._reader())

    def wider_delete(self) -> None:
        """A delete with a token that may push."""
        token = self._crowd.token(ACCOUNTS[0], "10.1.1.1", Scope("repository", "ubuntu", ("pull", "push")))
        self._outside(token, action="delete", method="DELETE")

    def other_repository(self) -> None:
        """With a token for one that is called nearly so."""
        token = self._crowd.token(ACCOUNTS[1], "10.1.1.1", Scope("repository", "ubuntu", ("*",)))
        self._outside(token, repository=self._random.choice(("ubuntu/", "ubuntu2", "Ubuntu", "team/ubuntu", REPOSITORIES[0])))

    def other_kind(self) -> None:
        """With a token for a registry's catalogue, which is called as a repository is."""
        token = self._crowd.token(ACCOUNTS[2], "10.1.1.1", Scope("registry", "ubuntu", ("*",)))
        self._outside(token, action="pull", method="GET")

    def mount_from_elsewhere(self) -> None:
        """A mount whose source the token may not read."""
        token = self._crowd.token(ACCOUNTS[3], "10.1.1.1", Scope("repository", "ubuntu", ("pull", "push")))
        self._outside(token, action="mount", method="POST", fromRepository="shop/secret")

    def unknown_action(self) -> None:
        """Of which no grant can speak."""
        token = self._crowd.token(ACCOUNTS[4], "10.1.1.1", Scope("repository", "ubuntu", ("*",)))
        self._outside(token, action="promote")

    def _timed(self, flag: Flag, at_ms: int) -> None:
        token = self._crowd.token(ACCOUNTS[5], "10.1.1.1", Scope("repository", "ubuntu", ("pull", "push")))
        issuance = token.issuance
        truth = Truth(Verdict.EXACT, account=issuance.account, jti=issuance.jti, true_jti=issuance.jti, flags=frozenset({flag}))
        played = self._push(token.subject, truth, at_ms=at_ms)
        if flag is Flag.CLOCK_SKEW:
            # Only one that gets here before its own time shows it.
            self._crowd.played[-1] = replace(played, arrivals=(self._crowd.now_ms + 20,))

    def before_its_token(self) -> None:
        """An impossible time: an hour before the token was asked for."""
        self._timed(Flag.BEFORE_ISSUANCE, self._crowd.now_ms - HOUR)

    def ahead_of_time(self) -> None:
        """An impossible time: after it was heard."""
        self._timed(Flag.CLOCK_SKEW, self._crowd.now_ms + 10 * MINUTE)

    def reused_id(self) -> None:
        """A known event's id with another body; by itself it is right."""
        former = self._random.choice(self._crowd.played[-2_000:])
        if former.planted or former.event["id"] in self._crowd.reused or former.truth.verdict is not Verdict.EXACT:
            return
        self._crowd.reused.add(former.event["id"])
        event = former.event | {"target": former.event["target"] | {"size": 7, "tag": "evil"}}
        later = (max(*former.arrivals, self._crowd.now_ms) + SECOND,)
        self._crowd.played.append(Played(event, former.truth, later, reuses=former.event["id"]))


WRONGS: Final[dict[str, Callable[[Wrongdoer], None]]] = {
    name: getattr(Wrongdoer, name)
    for name in (
        "invented", "altered", "foreign", "foreign_and_lost", "wider_action", "wider_delete", "other_repository", "other_kind",
        "mount_from_elsewhere", "unknown_action", "before_its_token", "ahead_of_time", "reused_id",
    )
}  # fmt: skip
