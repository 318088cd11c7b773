"""GitHub: the documented requests, to the letter, and what its answers mean."""

import json
from typing import Any

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import GitHubTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting
from workers.decide.targets.github import GitHub

NOW = 1_795_477_900
INPUTS = {"image": "{{image}}", "delivery_id": "{{delivery_id}}"}
FILLED = {"image": ORDER.image(), "delivery_id": "dlv_1"}
HEADERS = {"Authorization": "Bearer t0ken", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
POSTED = {**HEADERS, "Content-Type": "application/json"}
ASKED = {"asked": str(NOW)}
RUNS = "/repos/shop/infra/actions/runs?event={}&created=%3E%3D2026-11-23T23%3A50%3A40Z&per_page=100"
LOOK = Ask(method="GET", path="/repos/shop/infra/actions/runs/17", headers=HEADERS)


def github(*, workflow: str = "deploy.yml", url: str = "https://api.github.com", follow: bool = True) -> GitHub:
    """A target."""
    return GitHub(
        GitHubTarget(
            name="ci", reach=Reach(url=url), token=Secret(b"t0ken"), repository="shop/infra", workflow=workflow, ref="main",
            event_type="registry.push", inputs=INPUTS, follow=follow, timeout_s=3_600, line=1,
        )
    )  # fmt: skip


def told(status: int, value: Any) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


DISPATCH = Ask(
    method="POST",
    path="/repos/shop/infra/actions/workflows/deploy.yml/dispatches",
    headers=POSTED,
    body=json.dumps({"ref": "main", "inputs": FILLED, "return_run_details": True}, separators=(",", ":")).encode(),
)
EVENT = Ask(
    method="POST",
    path="/repos/shop/infra/dispatches",
    headers=POSTED,
    body=json.dumps({"event_type": "registry.push", "client_payload": FILLED}, separators=(",", ":")).encode(),
)
NAMED = told(
    200,
    {"workflow_run_id": 17, "run_url": "https://api.github.com/x", "html_url": "https://github.com/shop/infra/actions/runs/17"},
)
NOT_FOLLOWED = Delivered("accepted; its end is not waited for (follow: false)")


@pytest.mark.parametrize(
    ("target", "replies", "steps", "expected"),
    [
        (github(), [NAMED], [Keep(ASKED), DISPATCH, Keep({**ASKED, "run": "17"})], Waiting("https://github.com/shop/infra/actions/runs/17 began", 5.0)),
        (github(), [Heard(204)], [Keep(ASKED), DISPATCH, Keep({**ASKED, "what": "accepted"})], Waiting("accepted; its run is looked up", 5.0)),
        (github(workflow=""), [Heard(204)], [Keep(ASKED), EVENT, Keep({**ASKED, "what": "accepted"})], Waiting("accepted; its run is looked up", 5.0)),
        (github(follow=False), [NAMED], [Keep(ASKED), DISPATCH, Keep({**ASKED, "what": "accepted"})], NOT_FOLLOWED),
        (github(), [told(422, {"message": "Unexpected inputs provided"})], [Keep(ASKED), DISPATCH, Keep({})], Failed("answered 422: Unexpected inputs provided")),
        (github(), [told(404, {"message": "Not Found"})], [Keep(ASKED), DISPATCH, Keep({})], Failed("answered 404: Not Found")),
        (github(), [Heard(403, {"retry-after": "60"})], [Keep(ASKED), DISPATCH, Keep({})], Retry("answered 403", 60.0)),
        (
            github(), [Heard(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 90)})],
            [Keep(ASKED), DISPATCH, Keep({})], Retry("answered 403", 90.0),
        ),
        (github(), [Heard(403, {"x-ratelimit-remaining": "0"})], [Keep(ASKED), DISPATCH, Keep({})], Retry("answered 403")),
        (github(), [told(403, {"message": "Resource not accessible"})], [Keep(ASKED), DISPATCH, Keep({})], Failed("answered 403: Resource not accessible")),
        (github(), [Heard(502)], [Keep(ASKED), DISPATCH], Waiting("answered 502; whether it began is looked up", 5.0)),
    ],
)  # fmt: skip
def test_beginning(target: GitHub, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """One dispatch, with what was about to begin kept before; the run is known, or looked up."""
    assert played(target.begin(ORDER, now_s=NOW), *replies) == (steps, expected)


def test_an_enterprise_server() -> None:
    """Its API has a path of its own."""
    target = github(url="https://github.example/api/v3")
    asked = played(target.begin(ORDER, now_s=NOW), NAMED)[0][1]
    assert isinstance(asked, Ask)
    assert asked.path == "/api/v3/repos/shop/infra/actions/workflows/deploy.yml/dispatches"


def listed(*titles: str) -> Heard:
    """A list of runs, newest first."""
    return told(
        200, {"workflow_runs": [{"id": 20 - at, "name": "deploy", "display_title": title} for at, title in enumerate(titles)]}
    )


LIST = Ask(method="GET", path=RUNS.format("workflow_dispatch"), headers=HEADERS)
FOUND = [LIST, Keep({**ASKED, "run": "19"}), Ask(method="GET", path="/repos/shop/infra/actions/runs/19", headers=HEADERS)]
ACCEPTED = {**ASKED, "what": "accepted"}
ENDED = told(200, {"id": 19, "html_url": "https://github.com/19", "status": "completed", "conclusion": "success"})


@pytest.mark.parametrize(
    ("target", "kept", "replies", "steps", "expected"),
    [
        (github(), (ASKED, 5), [listed("dlv_2", "deploy dlv_1", "dlv_0"), ENDED], FOUND, Delivered("run https://github.com/19 ended: success")),
        (github(), (ASKED, 5), [listed("dlv_2")], [LIST], Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (github(), (ASKED, 60), [told(200, {})], [LIST, Keep({})], Retry("the answer was lost, and nothing had begun")),
        (github(), (ASKED, 60), [Heard(500)], [LIST], Retry("answered 500")),
        (github(), (ACCEPTED, 5), [listed("dlv_2")], [LIST], Waiting("accepted; its run is looked up", 5.0)),
        (
            github(), (ACCEPTED, 60), [listed("dlv_2")], [LIST],
            Delivered("accepted; no run has the delivery's id in its name (run-name), so its end is not known"),
        ),
        (github(), (ACCEPTED, 60), [Lost("h is away", sent=False)], [LIST], Retry("h is away; what became of it is looked up again")),
        (
            github(workflow=""), (ACCEPTED, 5), [listed("dlv_2")],
            [Ask(method="GET", path=RUNS.format("repository_dispatch"), headers=HEADERS)], Waiting("accepted; its run is looked up", 5.0),
        ),
        (github(follow=False), (ASKED, 5), [listed("dlv_2", "dlv_1")], [LIST], NOT_FOLLOWED),
        (github(follow=False), (ASKED, 60), [listed("dlv_2")], [LIST, Keep({})], Retry("the answer was lost, and nothing had begun")),
        (github(follow=False), (ASKED, 60), [Heard(500)], [LIST], Retry("answered 500")),
        (github(follow=False), (ACCEPTED, 60), [], [], NOT_FOLLOWED),
    ],
)  # fmt: skip
def test_finding(
    target: GitHub, kept: tuple[dict[str, str], int], replies: list[Reply], steps: list[Ask | Keep], expected: Sent
) -> None:
    """By the delivery's id in a run's title; a dispatch that was accepted is never sent again."""
    noted, later_s = kept
    assert played(target.follow(ORDER, noted, now_s=NOW + later_s), *replies) == (steps, expected)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"status": "completed", "conclusion": "success"}, Delivered("run 17 ended: success")),
        ({"status": "completed", "conclusion": "neutral"}, Delivered("run 17 ended: neutral")),
        *[
            ({"status": "completed", "conclusion": how}, Failed(f"run 17 ended: {how}"))
            for how in ("failure", "cancelled", "skipped", "timed_out", "action_required", "stale", "startup_failure")
        ],
        ({"status": "queued", "conclusion": None}, Waiting("run 17 is queued", 5.0)),
        ({"status": "in_progress"}, Waiting("run 17 is in_progress", 5.0)),
        ({}, Waiting("run 17 is in a state that is not told", 5.0)),
    ],
)  # fmt: skip
def test_ends(run: dict[str, Any], expected: Sent) -> None:
    """Only a run that did what it was for has delivered."""
    noted = {**ASKED, "run": "17"}
    assert played(github().follow(ORDER, noted, now_s=NOW), told(200, {"id": 17, **run})) == ([LOOK], expected)


def test_its_secret() -> None:
    """Is masked in what GitHub says."""
    assert github().secrets() == (Secret(b"t0ken"),)
