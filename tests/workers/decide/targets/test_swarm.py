"""Swarm: the documented requests, to the letter, and whose an update is that is seen."""

import base64
import json
from typing import Any

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import Secret, SwarmTarget, UpdateOrder
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone, Waiting
from workers.decide.targets.swarm import Swarm

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
LOGIN = {"username": "wharfinger", "password": "p4ss", "serveraddress": "reg:5000"}
AUTH = base64.urlsafe_b64encode(json.dumps(LOGIN).encode()).decode()
OLD = "reg:5000/shop/cart:v0@sha256:" + "cd" * 32
NEW = f"reg:5000/shop/cart:v1@{ORDER.digest}"
T1, T2 = "2026-11-23T20:00:00.1Z", "2026-11-23T23:51:40.2Z"
LOOK = Ask(method="GET", path="/services/shop_cart")


def swarm(*, login: bool = True, service: str = "shop_cart") -> Swarm:
    """A target."""
    settings = SwarmTarget(name="s", host="unix:///x", service=service, order=UpdateOrder.START_FIRST, timeout_s=600, line=1)
    return Swarm(settings, LOGIN if login else None)


def told(value: Any, status: int = 200) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


def spec(image: str, *, by: str = "", **more: Any) -> dict[str, Any]:
    """A service's spec."""
    labels = {"team": "shop"} | ({"wharfinger.delivery": by} if by else {})
    return {
        "Name": "shop_cart", "Labels": labels, "Mode": {"Replicated": {"Replicas": 2}}, "EndpointSpec": {"Mode": "vip"},
        "TaskTemplate": {"ContainerSpec": {"Image": image, "Env": ["A=1"]}, "ForceUpdate": 3}, **more,
    }  # fmt: skip


def service(image: str, *, state: str = "", started: str = "", by: str = "", message: str = "m", **more: Any) -> Heard:
    """A service as it is."""
    status = {"UpdateStatus": {"State": state, "StartedAt": started, "Message": message}} if state or started else {}
    return told({"ID": "abc123", "Version": {"Index": 42}, "Spec": spec(image, by=by, **more), **status})


def update(**config: Any) -> Ask:
    """The update that is asked for."""
    whole = spec(NEW, by="dlv_1")
    whole["UpdateConfig"] = {
        "Parallelism": 1,
        "Monitor": 30_000_000_000,
        "MaxFailureRatio": 0,
        **config,
        "Order": "start-first",
        "FailureAction": "rollback",
    }
    return Ask(
        method="POST",
        path="/services/abc123/update?version=42&registryAuthFrom=spec",
        headers={"Content-Type": "application/json", "X-Registry-Auth": AUTH},
        body=json.dumps(whole).encode(),
    )


KEPT = {**ASKED, "what": f"never {OLD}"}
RUN = {**KEPT, "run": "abc123"}
BEGAN = Waiting("the update of shop_cart began", 5.0)


@pytest.mark.parametrize(
    ("replies", "steps", "expected"),
    [
        ([service(OLD), told({"Warnings": None})], [LOOK, Keep(KEPT), update(), Keep(RUN)], BEGAN),
        (
            [service(OLD, state="completed", started=T1), told({})],
            [LOOK, Keep({**ASKED, "what": f"{T1} {OLD}"}), update(), Keep({**RUN, "what": f"{T1} {OLD}"})], BEGAN,
        ),
        ([service(OLD), told({"message": "rpc error: update out of sequence"}, 500)], [LOOK, Keep(KEPT), update(), Keep({})], Retry("answered 500: rpc error: update out of sequence")),
        ([service(OLD), told({"message": "invalid reference format"}, 400)], [LOOK, Keep(KEPT), update(), Keep({})], Failed("answered 400: invalid reference format")),
        ([service(OLD), Lost("docker did not answer in time", sent=True)], [LOOK, Keep(KEPT), update()], Waiting("docker did not answer in time; whether it began is looked up", 5.0)),
        # Nothing is changed.
        ([service(NEW)], [LOOK], Unchanged("service shop_cart names this digest already")),
        ([service(OLD, state="updating", started=T1)], [LOOK], Retry("another update of shop_cart is under way")),
        ([service(OLD, state="rollback_started", started=T1)], [LOOK], Retry("another update of shop_cart is under way")),
        ([service(OLD, Mode={"ReplicatedJob": {}})], [LOOK], Refused("service shop_cart is a job, which is not updated but run again")),
        ([service(OLD, Mode=None)], [LOOK], Refused("service shop_cart is a job, which is not updated but run again")),
        ([service(OLD, Name="abc")], [LOOK], Refused("there is no service shop_cart; create it once, with all that it needs")),
        ([told({"message": "service shop_cart not found"}, 404)], [LOOK], Refused("there is no service shop_cart; create it once, with all that it needs")),
        ([told({"message": 'This node is not a swarm manager. Use "docker swarm init"'}, 503)], [LOOK], Refused("the Engine is no manager of a swarm: name one that is in host")),
        ([told({"message": "the swarm does not have a leader"}, 500)], [LOOK], Retry("answered 500: the swarm does not have a leader")),
        ([Lost("docker cannot be asked", sent=False)], [LOOK], Retry("docker cannot be asked")),
    ],
)  # fmt: skip
def test_beginning(replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """The whole spec with another image, and what tells whose an update is, kept before."""
    assert played(swarm().begin(ORDER, now_s=NOW), *replies) == (steps, expected)


def test_what_the_service_says_of_updates() -> None:
    """Stays, but for the order and for going back."""
    given = {"Parallelism": 3, "Monitor": 5, "Order": "stop-first", "FailureAction": "pause", "Delay": 7}
    steps, _ = played(swarm().begin(ORDER, now_s=NOW), service(OLD, UpdateConfig=given), told({}))
    asked = steps[2]
    assert isinstance(asked, Ask)
    assert json.loads(asked.body)["UpdateConfig"] == {
        "Parallelism": 3, "Monitor": 5, "MaxFailureRatio": 0, "Delay": 7, "Order": "start-first", "FailureAction": "rollback",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("noted", "later_s", "reply", "expected"),
    [
        # Ours, as its label says; what is told of the update before it is not about ours.
        (RUN, 5, service(NEW, by="dlv_1"), Waiting("Swarm has not begun the update yet", 5.0)),
        ({**RUN, "what": f"{T1} {OLD}"}, 5, service(NEW, by="dlv_1", state="completed", started=T1), Waiting("Swarm has not begun the update yet", 5.0)),
        (RUN, 5, service(NEW, by="dlv_1", state="updating", started=T2), Waiting("Swarm is updating: m", 5.0)),
        (RUN, 5, service(NEW, by="dlv_1", started=T2), Waiting("Swarm is at work: m", 5.0)),
        (RUN, 601, service(NEW, by="dlv_1", state="updating", started=T2), Failed("Swarm is updating: m, and was not over within 600 s (timeout); it is left to itself")),
        (RUN, 5, service(NEW, by="dlv_1", state="completed", started=T2), Delivered("updated: every new task runs")),
        (RUN, 5, service(NEW, by="dlv_1", state="paused", started=T2), Failed("Swarm stopped on the way (paused): m")),
        # Gone back: the spec of before is there, and with it no label of ours.
        (RUN, 5, service(OLD, state="rollback_started", started=T2), Waiting("Swarm is rollback_started: m", 5.0)),
        (RUN, 5, service(OLD, state="rollback_completed", started=T2), Undone("the new tasks failed (m); the old ones serve again")),
        (RUN, 5, service(OLD, state="rollback_paused", started=T2), Failed("Swarm stopped on the way (rollback_paused): m")),
        # Somebody else's.
        (RUN, 5, service("x", by="dlv_2", state="completed", started=T2), Failed("service shop_cart was changed by somebody else meanwhile; it is left as it is")),
        ({**RUN, "what": f"{T1} {OLD}"}, 5, service(OLD, state="rollback_completed", started=T1), Failed("service shop_cart was changed by somebody else meanwhile; it is left as it is")),
        # The answer was lost.
        (KEPT, 5, service(NEW, by="dlv_1", state="completed", started=T2), Delivered("updated: every new task runs")),
        (KEPT, 5, service(OLD, state="rollback_completed", started=T2), Undone("the new tasks failed (m); the old ones serve again")),
        ({**KEPT, "what": f"{T1} {OLD}"}, 5, service(OLD, state="rollback_completed", started=T1), Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (KEPT, 5, service(OLD), Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (KEPT, 5, Heard(500), Retry("answered 500")),
        (KEPT, 5, Lost("docker cannot be asked", sent=False), Retry("docker cannot be asked; what became of it is looked up again")),
    ],
)  # fmt: skip
def test_following(noted: dict[str, str], later_s: int, reply: Reply, expected: Sent) -> None:
    """To what Swarm says became of it."""
    assert played(swarm().follow(ORDER, noted, now_s=NOW + later_s), reply) == ([LOOK], expected)


def test_a_name_as_it_stands_in_a_path() -> None:
    """Escaped."""
    steps, _ = played(swarm(service="a/b").begin(ORDER, now_s=NOW), Heard(404))
    assert steps == [Ask(method="GET", path="/services/a%2Fb")]


def test_its_secrets() -> None:
    """The password is masked as it is, and as it stands in the header; without an account nothing is sent as one."""
    assert swarm().secrets() == (Secret(b"p4ss"), Secret(AUTH.encode()))
    assert swarm(login=False).secrets() == ()
    asked = played(swarm(login=False).begin(ORDER, now_s=NOW), service(OLD), told({}))[0][2]
    assert isinstance(asked, Ask)
    assert asked.headers["X-Registry-Auth"] == base64.urlsafe_b64encode(b"{}").decode()
