"""Argo CD: the documented requests, to the letter, and what its answers mean."""

import json
from typing import Any

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import ArgoCDTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting
from workers.decide.targets.argocd import ArgoCD

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
RUN = {**ASKED, "run": "dlv_1"}
AUTHORIZED = {"Authorization": "Bearer t0ken"}
INFOS = [{"name": "wharfinger.delivery", "value": "dlv_1"}, {"name": "image", "value": ORDER.image()}]
PATH = "/api/v1/applications/shop"


def argocd(*, namespace: str = "", revision: str = "") -> ArgoCD:
    """A target."""
    return ArgoCD(
        ArgoCDTarget(
            name="cd", reach=Reach(url="https://argo.example"), token=Secret(b"t0ken"), application="shop", namespace=namespace,
            revision=revision, prune=bool(revision), timeout_s=600, line=1,
        )
    )  # fmt: skip


def told(value: Any, status: int = 200) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({}, {"prune": False, "dryRun": False, "infos": INFOS}),
        ({"namespace": "apps", "revision": "v1"}, {"prune": True, "dryRun": False, "infos": INFOS, "revision": "v1", "appNamespace": "apps"}),
    ],
)  # fmt: skip
def test_the_request(more: dict[str, str], body: dict[str, object]) -> None:
    """A sync that tells whose it is."""
    steps, sent = played(argocd(**more).begin(ORDER, now_s=NOW), told({"metadata": {}}))
    asked = Ask(
        method="POST",
        path=f"{PATH}/sync",
        headers={**AUTHORIZED, "Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )
    assert steps == [Keep(ASKED), asked, Keep(RUN)]
    assert sent == Waiting("the sync of shop began", 5.0)


@pytest.mark.parametrize(
    ("reply", "kept", "expected"),
    [
        (
            told({"error": "x", "code": 9, "message": "another operation is already in progress"}, 400), [Keep({})],
            Retry("answered 400: another operation is already in progress"),
        ),
        (told({"message": "permission denied"}, 403), [Keep({})], Failed("answered 403: permission denied")),
        (Heard(504), [], Waiting("answered 504; whether it began is looked up", 5.0)),
    ],
)  # fmt: skip
def test_refusals(reply: Reply, kept: list[Keep], expected: Sent) -> None:
    """Another operation will be over: later."""
    steps, sent = played(argocd().begin(ORDER, now_s=NOW), reply)
    assert (steps[2:], sent) == (kept, expected)


LOOK = Ask(method="GET", path=PATH, headers=AUTHORIZED)
OURS = {"info": INFOS, "sync": {}}
OTHERS = {"info": [{"name": "wharfinger.delivery", "value": "dlv_2"}]}


def application(phase: str = "", health: str = "", *, state: Any = OURS, pending: Any = None, message: Any = None) -> Heard:
    """An application as it is."""
    status = {"health": {"status": health}, "operationState": {"operation": state, "phase": phase, "message": message}}
    return told({"status": status, **({"operation": pending} if pending else {})})


@pytest.mark.parametrize(
    ("noted", "later_s", "reply", "expected"),
    [
        (RUN, 5, application(pending=OURS, state=OTHERS), Waiting("the sync has not begun yet", 5.0)),
        (RUN, 5, application("Running", "Healthy"), Waiting("the sync is Running", 5.0)),
        (RUN, 5, application("", "Healthy"), Waiting("the sync is not told", 5.0)),
        (RUN, 5, application("Failed", message="one or more objects failed"), Failed("the sync ended: Failed: one or more objects failed")),
        (RUN, 5, application("Error", message={}), Failed("the sync ended: Error: ")),
        (RUN, 5, application("Succeeded", "Healthy"), Delivered("synced, and healthy")),
        (RUN, 5, application("Succeeded", "Progressing"), Waiting("synced, and Progressing", 5.0)),
        (RUN, 5, application("Succeeded", ""), Waiting("synced, and of a health that is not told", 5.0)),
        (RUN, 5, application("Succeeded", "Degraded"), Waiting("synced, and Degraded", 5.0)),
        (RUN, 60, application("Succeeded", "Degraded"), Failed("synced, and degraded")),
        (RUN, 601, application("Succeeded", "Missing"), Failed("synced, and Missing, and was not over within 600 s (timeout); it is left to itself")),
        (RUN, 5, application("Succeeded", state=OTHERS), Waiting("the sync is not to be seen yet", 5.0)),
        (RUN, 5, application("Succeeded", state=OTHERS, pending=OTHERS), Failed("another sync of the application came after this one, whose end is not known")),
        (RUN, 60, application("Succeeded", state=OTHERS), Failed("another sync of the application came after this one, whose end is not known")),
        # The answer was lost.
        (ASKED, 5, application("Running"), Waiting("the sync is Running", 5.0)),
        (ASKED, 5, application("Succeeded", state=OTHERS), Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (ASKED, 5, Lost("h is away", sent=True), Retry("h is away; what became of it is looked up again")),
        (ASKED, 5, Heard(500), Retry("answered 500")),
    ],
)  # fmt: skip
def test_following(noted: dict[str, str], later_s: int, reply: Reply, expected: Sent) -> None:
    """To the health of what was synced, as long as it is this sync that is seen."""
    assert played(argocd().follow(ORDER, noted, now_s=NOW + later_s), reply) == ([LOOK], expected)


def test_what_never_began() -> None:
    """Is asked for again."""
    steps, sent = played(argocd().follow(ORDER, ASKED, now_s=NOW + 60), application("Succeeded", state=OTHERS))
    assert (steps, sent) == ([LOOK, Keep({})], Retry("the answer was lost, and nothing had begun"))


def test_an_application_of_another_namespace() -> None:
    """Is looked at there."""
    steps, _ = played(argocd(namespace="apps").follow(ORDER, RUN, now_s=NOW), application("Running"))
    assert steps == [Ask(method="GET", path=f"{PATH}?appNamespace=apps", headers=AUTHORIZED)]


def test_its_secret() -> None:
    """Is masked."""
    assert argocd().secrets() == (Secret(b"t0ken"),)
