"""GitLab: the documented requests, to the letter, and what its answers mean."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import GitLabTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting
from workers.decide.targets.gitlab import GitLab

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
RUN = {**ASKED, "run": "46"}
READ = {"PRIVATE-TOKEN": "r3ad"}
PIPELINES = "/api/v4/projects/shop%2Finfra/pipelines"
LIST = Ask(
    method="GET",
    path=f"{PIPELINES}?source=trigger&ref=main&updated_after=2026-11-23T23%3A50%3A40Z&per_page=100",
    headers=READ,
)
LOST = "the answer was lost, and "


def gitlab(*, read: bool = True) -> GitLab:
    """A target."""
    return GitLab(
        GitLabTarget(
            name="ci", reach=Reach(url="https://gitlab.com"), token=Secret(b"glptt-1"), read_token=Secret(b"r3ad") if read else None,
            project="shop/infra", ref="main", variables={"WHARFINGER_DELIVERY": "{{delivery_id}}"}, inputs={"digest": "{{digest}}"},
            timeout_s=3_600, line=1,
        )
    )  # fmt: skip


def told(status: int, value: Any) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


def look(path: str) -> Ask:
    """A look below the pipelines."""
    return Ask(method="GET", path=PIPELINES + path, headers=READ)


CREATED = told(201, {"id": 46, "web_url": "https://gitlab.com/46", "status": "created"})


@pytest.mark.parametrize(
    ("read", "reply", "kept", "expected"),
    [
        (True, CREATED, [Keep(RUN)], Waiting("https://gitlab.com/46 began", 5.0)),
        (False, CREATED, [Keep(RUN)], Delivered("pipeline https://gitlab.com/46 was created; without read_token its end is not waited for")),
        (True, told(201, {}), [], Waiting("accepted; looked up", 5.0)),
        (
            True, told(404, {"message": "404 Not Found"}), [Keep({})],
            Failed("answered 404: 404 Not Found (no such project, or the token is not of the kind that triggers, glptt-…)"),
        ),
        (True, told(400, {"message": {"base": ["Reference not found"]}}), [Keep({})], Failed('answered 400: {"base": ["Reference not found"]}')),
        (True, Heard(429, {"retry-after": "30"}), [Keep({})], Retry("answered 429", 30.0)),
        (True, Lost("h did not answer in time", sent=True), [], Waiting("h did not answer in time; whether it began is looked up", 5.0)),
    ],
)  # fmt: skip
def test_beginning(read: bool, reply: Reply, kept: list[Keep], expected: Sent) -> None:  # noqa: FBT001 - a column
    """The token stands in the body, and in no URL."""
    steps, sent = played(gitlab(read=read).begin(ORDER, now_s=NOW), reply)
    assert (steps[0], steps[2:], sent) == (Keep(ASKED), kept, expected)
    (_, asked, *_rest) = steps
    assert isinstance(asked, Ask)
    assert (asked.method, asked.path) == ("POST", "/api/v4/projects/shop%2Finfra/trigger/pipeline")
    assert asked.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {
        "token": ["glptt-1"], "ref": ["main"], "variables[WHARFINGER_DELIVERY]": ["dlv_1"], "inputs[digest]": [ORDER.digest],
    }  # fmt: skip


def variables(*values: str) -> Heard:
    """A pipeline's variables."""
    return told(200, [{"key": "K", "value": value, "variable_type": "env_var"} for value in values])


SUCCESS = told(200, {"id": 46, "status": "success"})
BLIND = f"{LOST}a pipeline that may be it has no delivery's id in its name, nor variables to read"


@pytest.mark.parametrize(
    ("later_s", "replies", "steps", "expected"),
    [
        (5, [told(200, [{"id": 47, "name": None}, {"id": 46, "name": "deploy dlv_1"}]), SUCCESS], [LIST, Keep(RUN), look("/46")], Delivered("pipeline 46 ended: success")),
        (
            5, [told(200, [{"id": 47}, {"id": 46}]), variables("dlv_2"), variables("x", "dlv_1"), SUCCESS],
            [LIST, look("/47/variables"), look("/46/variables"), Keep(RUN), look("/46")], Delivered("pipeline 46 ended: success"),
        ),
        (5, [told(200, [])], [LIST], Waiting(f"{LOST}nothing is found yet that it began", 5.0)),
        (60, [told(200, [{"id": 47}]), variables()], [LIST, look("/47/variables"), Keep({})], Retry(f"{LOST}nothing had begun")),
        # Whose a pipeline is cannot be told: it is never asked for again.
        (5, [told(200, [{"id": 47}]), Heard(403)], [LIST, look("/47/variables")], Waiting(BLIND, 5.0)),
        (60, [told(200, [{"id": 47}]), Heard(403)], [LIST, look("/47/variables")], Failed(f"{BLIND}: look, and replay")),
        (60, [Heard(500)], [LIST], Retry("answered 500")),
    ],
)  # fmt: skip
def test_finding(later_s: int, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """By its name, or else by its variables."""
    assert played(gitlab().follow(ORDER, ASKED, now_s=NOW + later_s), *replies) == (steps, expected)


def test_a_lost_answer_without_a_token_that_reads() -> None:
    """It is never sent again: a person looks."""
    assert played(gitlab(read=False).follow(ORDER, ASKED, now_s=NOW)) == (
        [], Failed(f"{LOST}without read_token it cannot be told whether it began: look, and replay"),
    )  # fmt: skip


def test_one_that_was_created_and_is_not_followed() -> None:
    """Is not asked for again after a crash, and nobody looks."""
    sent = Delivered("pipeline 46 was created; without read_token its end is not waited for")
    assert played(gitlab(read=False).follow(ORDER, RUN, now_s=NOW)) == ([], sent)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("success", Delivered("pipeline 46 ended: success")),
        *[(status, Failed(f"pipeline 46 ended: {status}")) for status in ("failed", "canceled", "skipped")],
        ("manual", Waiting("pipeline 46 waits for a person", 5.0)),
        *[(status, Waiting(f"pipeline 46 is {status}", 5.0)) for status in ("created", "waiting_for_resource", "preparing", "pending", "running", "canceling")],
        (None, Waiting("pipeline 46 is not told", 5.0)),
    ],
)  # fmt: skip
def test_ends(status: str | None, expected: Sent) -> None:
    """Only one that succeeded has delivered."""
    assert played(gitlab().follow(ORDER, RUN, now_s=NOW), told(200, {"id": 46, "status": status})) == ([look("/46")], expected)


def test_its_secrets() -> None:
    """Both are masked in what GitLab says."""
    assert gitlab().secrets() == (Secret(b"glptt-1"), Secret(b"r3ad"))
    assert gitlab(read=False).secrets() == (Secret(b"glptt-1"),)
    (ask,) = [one for one in played(gitlab(read=False).begin(ORDER, now_s=NOW), CREATED)[0] if isinstance(one, Ask)]
    assert "PRIVATE-TOKEN" not in ask.headers
