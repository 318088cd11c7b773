"""When the log is signed: news after a pause at once, steady news every so often, and what is refused is told each time."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.wharfinger.ledger import vectors
from wharfinger.ledger.checkpoint import Nothing, Refuse, SignedCheckpoint
from wharfinger.ledger.checkpoint import sign as sign_checkpoint
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.values import TrailAlarm, TrailFault
from workers.sign import Sign
from workers.warn import Warn

SIGNED = sign_checkpoint(vectors.CHECKPOINT, vectors.LOG)
REFUSED = Refuse("the log's first 3 records are not those that were signed", about="rewritten/3")


@dataclass
class World:
    """A log with or without news, witnesses that count, a clock that is set."""

    outcome: SignedCheckpoint | Nothing | Refuse = SIGNED
    has_news: bool = True
    now_ms: int = 1_000_000
    signed: int = 0
    woken: int = 0
    logged: list[str] = field(default_factory=list)
    told: list[TrailAlarm] = field(default_factory=list)

    def news(self) -> bool:
        """The port ``LogHead``."""
        return self.has_news

    def sign(self) -> SignedCheckpoint | Nothing | Refuse:
        """The port ``LogHead``."""
        self.signed += 1
        return self.outcome

    def wake(self) -> None:
        """The port ``Cosigners``."""
        self.woken += 1

    def tell(self, alarm: TrailAlarm) -> bool:
        """The port ``Alarms``."""
        if alarm in self.told:
            return False
        self.told.append(alarm)
        return True

    def log(self, event: str, /, **fields: Any) -> None:
        """The log."""
        self.logged.append(f"{event} {fields}")

    def use_case(self) -> Sign:
        """Everything joined."""
        warn = Warn(self, (), self.log)
        return Sign(head=self, cosigners=self, warn=warn, every_ms=60_000, clock=lambda: self.now_ms, log=self.log)


def looks(world: World, sign: Sign, times: int, *, step_ms: int = 1_000) -> None:
    """Some looks, a second apart."""
    for _ in range(times):
        sign.run()
        world.now_ms += step_ms


def test_news_is_signed_at_once_and_then_every_minute() -> None:
    """However much comes: sixty looks a minute, one checkpoint."""
    world = World()
    looks(world, world.use_case(), 121)
    assert (world.signed, world.woken) == (3, 3)
    assert world.logged[0] == f"checkpoint.signed {{'size': 3, 'root': '{vectors.ROOT_ABC.hex()}'}}"


def test_without_news_nothing_is_signed() -> None:
    """But witnesses are asked every minute for what they have not cosigned: one may have been away."""
    world = World(has_news=False)
    looks(world, world.use_case(), 121)
    assert (world.signed, world.woken) == (0, 3)


def test_news_after_a_pause_does_not_wait() -> None:
    """An idle log's next record is signed by the next look."""
    world = World(has_news=False)
    sign = world.use_case()
    looks(world, sign, 10)
    world.has_news = True
    sign.run()
    assert world.signed == 1


def test_what_another_host_signed_is_no_reason_to_wait() -> None:
    """Its checkpoint was too recent for another: the next look tries again."""
    world = World(outcome=Nothing())
    looks(world, world.use_case(), 3)
    assert (world.signed, world.logged) == (3, [])


def test_a_refusal_is_told_every_minute() -> None:
    """It does not go away by itself, and does not fill the disk either. Of the alarms it is one."""
    world = World(outcome=REFUSED)
    looks(world, world.use_case(), 61)
    assert world.signed == 2
    told = f"checkpoint.refused {{'problem': {REFUSED.problem!r}}}"
    assert world.logged == [told, "alarm.raised {'why': 'checkpoint_refused'}", told]
    assert world.told == [TrailAlarm(TrailFault.CHECKPOINT_REFUSED, "rewritten/3", {"problem": REFUSED.problem})]


def test_a_clock_that_is_set_back_does_not_silence_the_log() -> None:
    """Signed again at once, not a day later."""
    world = World()
    sign = world.use_case()
    sign.run()
    world.now_ms -= 86_400_000
    sign.run()
    assert world.signed == 2


def test_a_ledger_that_is_away_is_asked_again() -> None:
    """A crash before the checkpoint is kept: the next look signs what is there then."""
    world = World()

    def away() -> SignedCheckpoint:
        raise LedgerUnavailable("away")

    sign = world.use_case()
    working, world.sign = world.sign, away  # type: ignore[method-assign]  # the fault
    with pytest.raises(LedgerUnavailable):
        sign.run()
    world.sign = working  # type: ignore[method-assign]  # it is back
    world.now_ms += 1_000
    sign.run()
    assert (world.signed, world.woken) == (1, 1)
