"""Following a run to its end, whatever is being followed."""

import json
from typing import Any

import pytest

from tests.workers.playing import played
from workers.decide.conversation import Ask, Conversation, Heard, Keep, Lost, Reply, text_at
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting
from workers.decide.targets.following import Search, began, followed, in_time, since

NOW = 1_795_477_900
LOOK = Ask(method="GET", path="/runs/17")
LIST = Ask(method="GET", path="/runs")
ASKED = {"asked": str(NOW)}


def find() -> Search:
    """One look at a list."""
    reply = yield LIST
    if isinstance(reply, Lost):
        return Retry(reply.reason)
    return reply.body.decode()


def read(run: Any) -> Sent:
    """What a run says of itself."""
    state = text_at(run, "state")
    return Waiting("it runs", 5.0) if state == "runs" else Delivered(state)


def follow(noted: dict[str, str], *, later_s: int = 0) -> Conversation:
    """Look at it so much later."""
    return followed(
        noted, find=find, look=lambda run: Ask(method="GET", path=f"/runs/{run}"), read=read, timeout_s=600, now_s=NOW + later_s
    )


def run(state: str) -> Heard:
    """A run's answer."""
    return Heard(200, {}, json.dumps({"state": state}).encode())


@pytest.mark.parametrize(
    ("noted", "later_s", "replies", "steps", "expected"),
    [
        # The run is known.
        ({**ASKED, "run": "17"}, 0, [run("ended")], [LOOK], Delivered("ended")),
        ({**ASKED, "run": "17"}, 0, [run("runs")], [LOOK], Waiting("it runs", 5.0)),
        ({**ASKED, "run": "17"}, 300, [run("runs")], [LOOK], Waiting("it runs", 30.0)),
        (
            {**ASKED, "run": "17"},
            601,
            [run("runs")],
            [LOOK],
            Failed("it runs, and was not over within 600 s (timeout); it is left to itself"),
        ),
        ({**ASKED, "run": "17"}, 601, [run("ended")], [LOOK], Delivered("ended")),
        # It cannot be looked at.
        (
            {**ASKED, "run": "17"},
            0,
            [Lost("h is away", sent=True)],
            [LOOK],
            Retry("h is away; what became of it is looked up again"),
        ),
        ({**ASKED, "run": "17"}, 0, [Heard(502)], [LOOK], Retry("answered 502")),
        ({**ASKED, "run": "17"}, 0, [Heard(401)], [LOOK], Failed("answered 401")),
        ({**ASKED, "run": "17"}, 59, [Heard(404)], [LOOK], Waiting("17 is not to be seen yet", 5.0)),
        ({**ASKED, "run": "17"}, 60, [Heard(404)], [LOOK], Failed("answered 404")),
        # Its answer was lost.
        (ASKED, 5, [Heard(200, {}, b"17"), run("ended")], [LIST, Keep({**ASKED, "run": "17"}), LOOK], Delivered("ended")),
        (ASKED, 5, [Heard(200, {}, b"")], [LIST], Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (ASKED, 60, [Heard(200, {}, b"")], [LIST, Keep({})], Retry("the answer was lost, and nothing had begun")),
        (ASKED, 60, [Lost("h is away", sent=True)], [LIST], Retry("h is away")),
    ],
)
def test_following(noted: dict[str, str], later_s: int, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """It is found before it is looked at, kept once it is found, and never asked for while it may have begun."""
    assert played(follow(noted, later_s=later_s), *replies) == (steps, expected)


def test_patience() -> None:
    """The longer it takes, the more seldom it is looked at; what is over is over."""
    paces = [in_time(Waiting("x", 5.0), ASKED, timeout_s=9_999, now_s=NOW + taken) for taken in (0, 50, 100, 600, 6_000)]
    assert [one.after_s for one in paces if isinstance(one, Waiting)] == [5.0, 5.0, 10.0, 60.0, 60.0]
    assert in_time(Failed("x"), ASKED, timeout_s=1, now_s=NOW + 99) == Failed("x")


def test_beginning() -> None:
    """The run is kept as soon as it is known."""
    steps, sent = played(began("17", "https://ci/17", now_s=NOW))
    assert (steps, sent) == ([Keep({**ASKED, "run": "17"})], Waiting("https://ci/17 began", 5.0))
    assert played(began("17", "", now_s=NOW))[1] == Waiting("17 began", 5.0)


def test_from_when_on() -> None:
    """A minute before it was asked for."""
    assert since({"asked": "1795477900"}) == "2026-11-23T23:50:40Z"
