"""Jenkins: the documented requests, to the letter, and what its answers mean."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import JenkinsTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Waiting
from workers.decide.targets.jenkins import Jenkins

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
ITEM = {**ASKED, "item": "7"}
RUN = {**ITEM, "run": "5"}
AUTHORIZED = {"Authorization": "Basic " + base64.b64encode(b"ci:t0ken").decode()}
JOB = "/ci/job/shop/job/deploy%20it"


def jenkins() -> Jenkins:
    """A target behind a prefix, in a folder."""
    return Jenkins(
        JenkinsTarget(
            name="ci", reach=Reach(url="https://jenkins.example/ci"), user="ci", token=Secret(b"t0ken"), job="shop/deploy it",
            parameters={"DIGEST": "{{digest}}", "WHARFINGER_DELIVERY": "{{delivery_id}}"}, timeout_s=3_600, line=1,
        )
    )  # fmt: skip


def told(value: Any, status: int = 200) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


def look(path: str) -> Ask:
    """A look."""
    return Ask(method="GET", path=path, headers=AUTHORIZED)


ASKED_FIRST = look(f"{JOB}/api/json?tree=property%5BparameterDefinitions%5Bname%5D%5D")
DECLARED = told(
    {
        "property": [
            {"_class": "x"},
            {"parameterDefinitions": [{"name": "DIGEST"}, {"name": "WHARFINGER_DELIVERY"}, {"name": "MORE"}]},
        ]
    }
)


def created(location: str) -> Heard:
    """It is in the queue."""
    return Heard(201, {"location": location})


@pytest.mark.parametrize(
    ("reply", "kept", "expected"),
    [
        (created("https://jenkins.example/ci/queue/item/7/"), [Keep(ITEM)], Waiting("accepted; its build is waited for", 5.0)),
        # What Jenkins believes its own name to be is not where it was reached: only the number counts.
        (created("http://169.254.169.254/queue/item/7/"), [Keep(ITEM)], Waiting("accepted; its build is waited for", 5.0)),
        (created(""), [], Waiting("accepted; its build is waited for", 5.0)),
        (created("https://jenkins.example/ci/queue/item/x/"), [], Waiting("accepted; its build is waited for", 5.0)),
        (Heard(403, {}, b"<html>No valid crumb"), [Keep({})], Failed("answered 403")),
        (
            Heard(302, {"location": "/login"}),
            [Keep({})],
            Failed("answered 302; redirects are not followed: configure the final URL"),
        ),
        (Heard(503), [], Waiting("answered 503; whether it began is looked up", 5.0)),
        (Lost("h cannot be asked", sent=False), [Keep({})], Retry("h cannot be asked")),
    ],
)
def test_beginning(reply: Reply, kept: list[Keep], expected: Sent) -> None:
    """A form, with the token as a password: no crumb is asked for."""
    steps, sent = played(jenkins().begin(ORDER, now_s=NOW), DECLARED, reply)
    assert (steps[0], steps[1], steps[3:], sent) == (ASKED_FIRST, Keep(ASKED), kept, expected)
    asked = steps[2]
    assert isinstance(asked, Ask)
    assert (asked.method, asked.path) == ("POST", f"{JOB}/buildWithParameters")
    assert asked.headers == {**AUTHORIZED, "Content-Type": "application/x-www-form-urlencoded"}
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {"DIGEST": [ORDER.digest], "WHARFINGER_DELIVERY": ["dlv_1"]}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (told({"property": []}), Refused("the job declares no parameter DIGEST, WHARFINGER_DELIVERY, which Jenkins would drop: add it to the job")),
        (Heard(404), Failed("answered 404")),
        (Heard(500), Retry("answered 500")),
        (Lost("h is away", sent=True), Retry("h is away")),
    ],
)  # fmt: skip
def test_a_job_that_would_drop_parameters(reply: Reply, expected: Sent) -> None:
    """Is not built: it would deploy something else, and say that all went well. Nor one that cannot be asked."""
    assert played(jenkins().begin(ORDER, now_s=NOW), reply) == ([ASKED_FIRST], expected)


QUEUED = look("/ci/queue/item/7/api/json")
BUILD = look(f"{JOB}/5/api/json?tree=building%2Cresult%2Curl")
ENDED = told({"building": False, "result": "SUCCESS", "url": "https://j/5/"})
DELIVERED = Delivered("build https://j/5/ ended: SUCCESS")
QUEUE = look("/ci/queue/api/json?tree=items%5Bid%2Cactions%5Bparameters%5Bvalue%5D%5D%5D")
BUILDS = look(f"{JOB}/api/json?tree=builds%5Bnumber%2Cactions%5Bparameters%5Bvalue%5D%5D%5D%7B0%2C100%7D")


def having(name: str, *values: str) -> Heard:
    """Items or builds, each with one parameter besides others."""
    return told(
        {
            name: [
                {"id": at, "number": 5 + at, "actions": [{}, {"parameters": [{"value": True}, {"value": value}]}]}
                for at, value in enumerate(values)
            ]
        }
    )


@pytest.mark.parametrize(
    ("noted", "later_s", "replies", "steps", "expected"),
    [
        # Its place in the queue is known.
        (ITEM, 5, [told({"why": "no executor"})], [QUEUED], Waiting("it waits in Jenkins' queue: no executor", 5.0)),
        (ITEM, 3_601, [told({})], [QUEUED], Failed("it waits in Jenkins' queue: not told why, and was not over within 3600 s (timeout); it is left to itself")),
        (ITEM, 5, [told({"cancelled": True})], [QUEUED], Failed("it was cancelled in Jenkins' queue")),
        (ITEM, 5, [told({"executable": {"number": 5, "url": "x"}}), ENDED], [QUEUED, Keep(RUN), BUILD], DELIVERED),
        (ITEM, 5, [Heard(502)], [QUEUED], Retry("answered 502")),
        (ITEM, 5, [Lost("h is away", sent=True)], [QUEUED], Retry("h is away; what became of it is looked up again")),
        # Jenkins forgets a place five minutes after it was left.
        (ITEM, 400, [Heard(404), having("items"), having("builds", "dlv_1"), ENDED], [QUEUED, QUEUE, BUILDS, Keep(RUN), BUILD], DELIVERED),
        # The build is known.
        (RUN, 5, [ENDED], [BUILD], DELIVERED),
        # The answer was lost.
        (ASKED, 5, [having("items", "dlv_0", "dlv_1")], [QUEUE], Waiting("it is in Jenkins' queue", 5.0)),
        (ASKED, 5, [having("items", "x"), having("builds", "dlv_1"), ENDED], [QUEUE, BUILDS, Keep({**ASKED, "run": "5"}), BUILD], DELIVERED),
        (ASKED, 60, [having("items"), told({})], [QUEUE, BUILDS, Keep({})], Retry("the answer was lost, and nothing had begun")),
        (ASKED, 60, [having("items"), Heard(500)], [QUEUE, BUILDS], Retry("answered 500")),
    ],
)  # fmt: skip
def test_following(noted: dict[str, str], later_s: int, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """From the queue to the end of the build."""
    assert played(jenkins().follow(ORDER, noted, now_s=NOW + later_s), *replies) == (steps, expected)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ({"building": True, "result": None}, Waiting("build u runs", 5.0)),
        ({"building": False, "result": None}, Waiting("build u runs", 5.0)),
        ({}, Waiting("build u runs", 5.0)),
        *[({"building": False, "result": result}, Failed(f"build u ended: {result}")) for result in ("FAILURE", "UNSTABLE", "ABORTED", "NOT_BUILT")],
    ],
)  # fmt: skip
def test_ends(build: dict[str, Any], expected: Sent) -> None:
    """Only one that succeeded has delivered."""
    assert played(jenkins().follow(ORDER, RUN, now_s=NOW), told({"url": "u", **build}))[1] == expected


def test_its_secrets() -> None:
    """The token is masked as it is, and as it stands in the header."""
    assert jenkins().secrets() == (Secret(b"t0ken"), Secret(base64.b64encode(b"ci:t0ken")))
