"""Woodpecker and Drone: what an answer about a build means in both."""

import json
from typing import Any

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting
from workers.decide.targets.builds import begin_build, follow_build

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
RUN = {**ASKED, "run": "9"}
POST = Ask(method="POST", path="/")


def told(value: Any, status: int = 200) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("reply", "kept", "expected"),
    [
        (told({"number": 9}), [Keep(RUN)], Waiting("build 9 began", 5.0)),
        (Heard(204), [Keep({})], Failed("answered 204: nothing of the repository is run by that event and branch")),
        (Heard(200, {}, b"?"), [], Waiting("accepted; its build is looked up", 5.0)),
        (Heard(404), [Keep({})], Failed("answered 404")),
    ],
)
def test_beginning(reply: Reply, kept: list[Keep], expected: Sent) -> None:
    """The build is kept by its number."""
    assert played(begin_build(POST, now_s=NOW), reply) == ([Keep(ASKED), POST, *kept], expected)


def look(path: str) -> Ask:
    """A look below the builds."""
    return Ask(method="GET", path=f"/builds{path}")


LIST = look("?page=1&per_page=50")


@pytest.mark.parametrize(
    ("noted", "later_s", "replies", "steps", "expected"),
    [
        (
            ASKED, 5, [told([{"number": 10}, {"number": 9, "given": {"A": 1, "B": "dlv_1"}}]), told({"number": 9, "status": "success"})],
            [LIST, Keep(RUN), look("/9")], Delivered("build 9 ended: success"),
        ),
        (ASKED, 60, [told([{"number": 9, "given": {"B": "dlv_2"}}])], [LIST, Keep({})], Retry("the answer was lost, and nothing had begun")),
        (ASKED, 60, [Lost("h is away", sent=True)], [LIST], Retry("h is away; what became of it is looked up again")),
        *[
            (RUN, 5, [told({"number": 9, "status": status})], [look("/9")], Failed(f"build 9 ended: {status}"))
            for status in ("failure", "error", "killed", "declined", "skipped", "canceled")
        ],
        *[
            (RUN, 5, [told({"number": 9, "status": status})], [look("/9")], Waiting(f"build 9 is {status}", 5.0))
            for status in ("pending", "running", "created", "waiting_on_dependencies")
        ],
        (RUN, 5, [told({"number": 9, "status": "blocked"})], [look("/9")], Waiting("build 9 waits to be approved", 5.0)),
        (RUN, 5, [told({"number": 9})], [look("/9")], Waiting("build 9 is not told", 5.0)),
        (RUN, 601, [told({"number": 9})], [look("/9")], Failed("build 9 is not told, and was not over within 600 s (timeout); it is left to itself")),
    ],
)  # fmt: skip
def test_following(noted: dict[str, str], later_s: int, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """By what was given to it, and to its end."""
    talk = follow_build(ORDER, noted, ask=look, given="given", timeout_s=600, now_s=NOW + later_s)
    assert played(talk, *replies) == (steps, expected)
