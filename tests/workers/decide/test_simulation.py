"""What rules would have done: the guards themselves over pushes in their order, with what waited and what was delivered between."""

from zoneinfo import ZoneInfo

import pytest

from wharfinger.runtime.settings import Approvals, Match, Require, Rule, Window
from workers.decide.matching import Push
from workers.decide.simulation import Simulation

NOON = 1_795_521_600_000  # 2026-11-24T12:00Z, a Tuesday
MINUTE = 60_000
END = NOON + 60 * MINUTE

Pushed = tuple[int, str, str]
"""Minutes after noon, tag, and digest."""


def push(tag: str, digest: str, *, repository: str = "web", verdict: str = "exact", account: str | None = "ci") -> Push:
    """One."""
    return Push(
        source="main", repository=repository, tag=tag, digest=digest, media_type="m", verdict=verdict, account=account, credential=""
    )  # fmt: skip


def rule(**more: object) -> Rule:
    """One that takes everything, but for what is said."""
    return Rule("r", **({"match": Match(), "require": Require.EXACT, "targets": ("t",), "line": 1} | more))  # type: ignore[arg-type]  # a column


def run(
    rules: list[Rule], pushes: list[tuple[int, Push]], *, runs_one: bool = False, bad: str = ""
) -> list[tuple[int, str, str, int]]:
    """What became of each: the push's place, the word, why, and minutes after noon."""
    simulation = Simulation(
        rules, bad=lambda digest, _target: "bad" if digest == bad else "", runs_one=frozenset({"t"} if runs_one else ())
    )
    found = [one for seq, (at, pushed) in enumerate(pushes) for one in simulation.push(seq, NOON + at * MINUTE, pushed)]
    found += [*simulation.until(END), *simulation.rest()]
    return [(one.seq, one.would.value, one.why, (one.at - NOON) // MINUTE) for one in found]


A, B = push("v1", "a"), push("v1", "b")
LATE = rule(cooldown_s=600.0)
WINDOW = Window(frozenset({1}), 12 * 60 + 30, 13 * 60 + 30, ZoneInfo("UTC"))
TOMORROW = Window(frozenset({2}), 12 * 60, 13 * 60, ZoneInfo("UTC"))

CASES = [
    ("at once", [rule()], [(0, A), (5, B)], [(0, "delivered", "", 0), (1, "delivered", "", 5)]),
    ("no match", [rule(match=Match("other"))], [(0, A)], []),
    ("the same again", [rule()], [(0, A), (5, A)], [(0, "delivered", "", 0), (1, "unchanged", "this digest was the last one delivered", 5)]),
    ("after a cool-down", [LATE], [(0, A)], [(0, "delivered", "", 10)]),
    ("pushed again meanwhile", [LATE], [(0, A), (5, B)], [(0, "superseded", "v1 was pushed again, as b", 10), (1, "delivered", "", 15)]),
    ("there and back again", [LATE], [(0, A), (5, B), (6, A)], [
        (0, "delivered", "", 10), (1, "superseded", "v1 was pushed again, as a", 15), (2, "unchanged", "this digest was the last one delivered", 16),
    ]),
    ("another tag meanwhile", [LATE], [(0, A), (5, push("v2", "b"))], [(0, "delivered", "", 10), (1, "delivered", "", 15)]),
    ("another tag meanwhile, and only the newest", [rule(match=Match(tag="newest"), cooldown_s=600.0)], [(0, A), (5, push("v2", "b"))], [
        (0, "superseded", "web was pushed again, as v2 b", 10), (1, "delivered", "", 15),
    ]),
    ("another repository meanwhile", [LATE], [(0, A), (5, push("v1", "b", repository="api"))], [(0, "delivered", "", 10), (1, "delivered", "", 15)]),
    ("by nobody meanwhile", [LATE], [(0, A), (5, push("v1", "b", verdict="forged"))], [
        (1, "refused", "the push is not tied to a token: forged", 5), (0, "delivered", "", 10),
    ]),
    ("a window", [rule(windows=(WINDOW,))], [(0, A), (31, B)], [(0, "delivered", "", 30), (1, "delivered", "", 31)]),
    ("a window that is still to come", [rule(windows=(TOMORROW,))], [(0, A)], [(0, "waiting", "", 1_440)]),
    ("cool-down, then window", [rule(windows=(WINDOW,), cooldown_s=2_400.0)], [(0, A)], [(0, "delivered", "", 40)]),
    ("approvals", [rule(approvals=Approvals(2, ("zoe", "yan")))], [(0, A)], [(0, "delivered", "needs 2 approvals", 0)]),
    ("an approval", [rule(approvals=Approvals(1, ("zoe",)))], [(0, A)], [(0, "delivered", "needs 1 approval", 0)]),
    ("going back", [rule(forward_only=True)], [(0, push("v1.10", "a")), (1, push("v1.9", "b"))], [
        (0, "delivered", "", 0), (1, "refused", "v1.9 would go back from v1.10, which was delivered last", 1),
    ]),
    ("somebody else", [rule(pushers=("zoe",))], [(0, A)], [(0, "refused", "pushed by ci, who is none of the rule's pushers", 0)]),
    ("two targets", [rule(targets=("t", "u", "t"))], [(0, A)], [(0, "delivered", "", 0), (0, "delivered", "", 0)]),
    ("overtaken by another rule", [LATE, rule(match=Match(account=("zoe",)))], [(0, A), (2, push("v1", "b")), (5, push("v1", "a", account="zoe"))], [
        (2, "delivered", "", 5), (0, "superseded", "a later push was delivered to this target already", 10),
        (1, "superseded", "v1 was pushed again, as a", 12), (2, "unchanged", "this digest was the last one delivered", 15),
    ]),
    ("delivered by another rule", [LATE, rule(match=Match(tag="v1"))], [(0, push("v1", "a")), (5, push("v1", "a"))], [
        (0, "delivered", "", 0), (1, "unchanged", "this digest was the last one delivered", 5),
        (0, "unchanged", "this digest was the last one delivered", 10), (1, "unchanged", "this digest was the last one delivered", 15),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "pushes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_would_have_been(
    rules: list[Rule], pushes: list[tuple[int, Push]], expected: list[tuple[int, str, str, int]]
) -> None:
    """Each in the order in which it would have come."""
    assert run(rules, pushes) == expected


@pytest.mark.parametrize(("runs_one", "word"), [(False, "delivered"), (True, "superseded")])
def test_a_target_that_runs_one_thing(runs_one: bool, word: str) -> None:  # noqa: FBT001 - a column
    """Whatever was delivered to it later overtakes what waited."""
    rules = [rule(match=Match("web"), cooldown_s=600.0), rule(match=Match("api"))]
    found = run(rules, [(0, A), (5, push("v1", "b", repository="api"))], runs_one=runs_one)
    assert [one[:2] for one in found] == [(1, "delivered"), (0, word)]


def test_a_bad_digest() -> None:
    """As the ledger marks it now."""
    assert run([rule()], [(0, A), (1, B)], bad="a") == [(0, "refused", "bad", 0), (1, "delivered", "", 1)]


def test_what_is_kept() -> None:
    """What is over is forgotten: a year of pushes takes no more than what waits at a time."""
    simulation = Simulation([LATE], bad=lambda *_: "", runs_one=frozenset())
    for number in range(500):
        list(simulation.push(number, NOON + number * MINUTE, push(f"v{number}", f"{number}")))
    kept = [value for value in vars(simulation).values() if isinstance(value, dict | list)]
    assert max(map(len, kept)) <= 11
