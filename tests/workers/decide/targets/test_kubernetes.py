"""Kubernetes: the documented requests, to the letter; trying first, following, going back."""

import json
from typing import Any

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import KubernetesTarget, Secret, Workload
from workers.decide.conversation import Ask, Heard, Keep, Lost, Reply
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone, Waiting
from workers.decide.targets.kubernetes import Kubernetes

NOW = 1_795_477_900
ASKED = {"asked": str(NOW)}
AUTHORIZED = {"Authorization": "Bearer t0ken"}
PATH = "/apis/apps/v1/namespaces/shop/deployments/cart"
DIGEST = "sha256:" + "cd" * 32
BEFORE = f"reg:5000/shop/cart@{DIGEST}"
WHAT = "deployment shop/cart"
CHANGE = f"{PATH}?fieldManager=wharfinger&fieldValidation=Strict"


def kubernetes(kind: Workload = Workload.DEPLOYMENT, *, token: bytes = b"t0ken") -> Kubernetes:
    """A target."""
    return Kubernetes(
        KubernetesTarget(
            name="k", kind=kind, namespace="shop", workload="cart", container="", kubeconfig=None, context="", server="https://h",
            allow=(), timeout_s=600, line=1,
        ),
        Secret(token) if token else None,
    )  # fmt: skip


def told(value: Any, status: int = 200) -> Heard:
    """An answer of JSON."""
    return Heard(status, {}, json.dumps(value).encode())


def cart(
    image: str, *, by: str = "", available: int = 1, generation: int = 2, status: dict[str, Any] | None = None, **metadata: Any
) -> Heard:
    """The workload as it is."""
    annotations = {"wharfinger.dev/delivery": by} if by else {}
    counts = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
    return told({
        "metadata": {"resourceVersion": "77", "generation": generation, "annotations": annotations, **metadata},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "cart"}}, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        "status": {**counts, **(status or {})},
    })  # fmt: skip


LOOK = Ask(method="GET", path=PATH, headers=AUTHORIZED)
PODS = Ask(method="GET", path="/api/v1/namespaces/shop/pods?labelSelector=app%3Dcart", headers=AUTHORIZED)
RUNNING = told({"items": [{"status": {"containerStatuses": [{"name": "web", "imageID": f"x@{DIGEST}", "ready": True}]}}]})
PATCH = {
    "metadata": {
        "resourceVersion": "77",
        "annotations": {
            "wharfinger.dev/delivery": "dlv_1",
            "kubernetes.io/change-cause": 'shop/cart:v1 pushed by zoë "z" (delivery dlv_1)',
        },
    },
    "spec": {"template": {"spec": {"containers": [{"name": "web", "image": ORDER.image()}]}}},
}


def patched(path: str, value: Any) -> Ask:
    """A change."""
    headers = {**AUTHORIZED, "Content-Type": "application/strategic-merge-patch+json"}
    return Ask(method="PATCH", path=path, headers=headers, body=json.dumps(value).encode())


TRY, DO = patched(f"{CHANGE}&dryRun=All", PATCH), patched(CHANGE, PATCH)
KEPT = {**ASKED, "what": BEFORE}
RUN = {**KEPT, "run": "3"}


@pytest.mark.parametrize(
    ("replies", "steps", "expected"),
    [
        ([cart(BEFORE), told({}), told({"metadata": {"generation": 3}})], [LOOK, TRY, Keep(KEPT), DO, Keep(RUN)], Waiting(f"the rollout of {WHAT} began", 5.0)),
        ([cart("reg:5000/shop/cart:v0"), RUNNING, told({}), told({})], [LOOK, PODS, TRY, Keep(KEPT), DO, Keep({**KEPT, "run": "0"})], Waiting(f"the rollout of {WHAT} began", 5.0)),
        # Nothing is changed.
        ([cart(ORDER.image())], [LOOK], Unchanged(f"{WHAT} names this digest already")),
        ([Heard(404)], [LOOK], Refused(f"there is no {WHAT}; create it once, with all that it needs")),
        ([told({"message": "forbidden"}, 403)], [LOOK], Failed("answered 403: forbidden")),
        ([Lost("h is away", sent=True)], [LOOK], Retry("h is away")),
        ([cart(BEFORE, labels={"kustomize.toolkit.fluxcd.io/name": "x"})], [LOOK], Refused(f"{WHAT} belongs to Flux, which would undo what is done here; deploy by it instead")),
        ([cart("x"), told({"message": "pods is forbidden"}, 403)], [LOOK, PODS], Failed("answered 403: pods is forbidden")),
        ([cart("x"), Lost("h is away", sent=True)], [LOOK, PODS], Retry("h is away")),
        ([cart(BEFORE), told({"message": "admission webhook denied it"}, 400)], [LOOK, TRY], Failed("answered 400: admission webhook denied it")),
        ([cart(BEFORE), told({"message": "modified"}, 409)], [LOOK, TRY], Retry("answered 409: modified")),
        ([cart(BEFORE), Lost("h is away", sent=True)], [LOOK, TRY], Retry("h is away")),
        ([cart(BEFORE), told({}), told({"message": "modified"}, 409)], [LOOK, TRY, Keep(KEPT), DO, Keep({})], Retry("answered 409: modified")),
        # Whether it was changed is not known.
        ([cart(BEFORE), told({}), Lost("h did not answer in time", sent=True)], [LOOK, TRY, Keep(KEPT), DO], Waiting("h did not answer in time; whether it began is looked up", 5.0)),
    ],
)  # fmt: skip
def test_beginning(replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """It is tried first, and what is gone back to is kept, by digest, before anything is changed."""
    assert played(kubernetes().begin(ORDER, now_s=NOW), *replies) == (steps, expected)


EXCEEDED = {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}
WHY = "its progress deadline was exceeded: timed out"
BACK = patched(
    CHANGE,
    {"metadata": {"resourceVersion": "77"}, "spec": {"template": {"spec": {"containers": [{"name": "web", "image": BEFORE}]}}}},
)
UNDOING = {**RUN, "undoing": WHY}


@pytest.mark.parametrize(
    ("noted", "later_s", "replies", "steps", "expected"),
    [
        (RUN, 5, [cart(ORDER.image(), by="dlv_1", available=0)], [LOOK], Waiting(f"the rollout of {WHAT} is under way: 1 of 1 updated, 0 available", 5.0)),
        (RUN, 5, [cart(ORDER.image(), by="dlv_1")], [LOOK], Delivered(f"{WHAT} is rolled out")),
        (RUN, 5, [cart(ORDER.image(), by="dlv_2")], [LOOK], Failed(f"{WHAT} was changed by somebody else meanwhile; it is left as it is")),
        (RUN, 5, [Heard(500)], [LOOK], Retry("answered 500")),
        (RUN, 5, [Lost("h is away", sent=True)], [LOOK], Retry("h is away; what became of it is looked up again")),
        # The answer was lost.
        (KEPT, 5, [cart(ORDER.image(), by="dlv_1")], [LOOK], Delivered(f"{WHAT} is rolled out")),
        (KEPT, 5, [cart(BEFORE)], [LOOK], Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (KEPT, 60, [cart(BEFORE)], [LOOK, Keep({})], Retry("the answer was lost, and nothing had begun")),
        # It failed, and is gone back.
        (RUN, 0, [cart(ORDER.image(), by="dlv_1", available=0, status=EXCEEDED), told({})], [LOOK, Keep(UNDOING), BACK], Waiting(f"{WHY}; going back to {BEFORE}", 5.0)),
        (
            RUN, 601, [cart(ORDER.image(), by="dlv_1", available=0), told({})],
            [LOOK, Keep({**RUN, "undoing": "it was not rolled out within 600 s (timeout)", "asked": str(NOW + 601)}), BACK],
            Waiting(f"it was not rolled out within 600 s (timeout); going back to {BEFORE}", 5.0),
        ),
        (UNDOING, 5, [cart(ORDER.image(), by="dlv_1"), Lost("h is away", sent=True)], [LOOK, BACK], Retry("h is away; what became of it is looked up again")),
        (UNDOING, 5, [cart(ORDER.image(), by="dlv_1"), told({"message": "modified"}, 409)], [LOOK, BACK], Retry("answered 409: modified")),
        (UNDOING, 5, [cart(BEFORE, by="dlv_1", available=0)], [LOOK], Waiting(f"{WHY}; going back to {BEFORE}: 1 of 1 updated, 0 available", 5.0)),
        (UNDOING, 5, [cart(BEFORE, by="dlv_1")], [LOOK], Undone(f"{WHY}; {BEFORE} serves again")),
        (UNDOING, 601, [cart(BEFORE, by="dlv_1", available=0)], [LOOK], Failed(f"{WHY}; and going back to {BEFORE} has not come to an end either")),
        (UNDOING, 5, [cart("x", by="dlv_1", labels={"helm.toolkit.fluxcd.io/name": "x"})], [LOOK], Failed(
            f"{WHY}; and it cannot be gone back: {WHAT} belongs to Flux, which would undo what is done here; deploy by it instead"
        )),
    ],
)  # fmt: skip
def test_following(noted: dict[str, str], later_s: int, replies: list[Reply], steps: list[Ask | Keep], expected: Sent) -> None:
    """Until all of it runs; or until all of what there was runs again. What somebody else changed is left alone."""
    assert played(kubernetes().follow(ORDER, noted, now_s=NOW + later_s), *replies) == (steps, expected)


@pytest.mark.parametrize(("kind", "plural"), [(Workload.STATEFULSET, "statefulsets"), (Workload.DAEMONSET, "daemonsets")])
def test_other_kinds(kind: Workload, plural: str) -> None:
    """Have paths of their own; without a token nothing says who we are, but for TLS."""
    steps, _ = played(kubernetes(kind, token=b"").begin(ORDER, now_s=NOW), cart(ORDER.image()))
    assert steps == [Ask(method="GET", path=f"/apis/apps/v1/namespaces/shop/{plural}/cart")]


def test_its_secret() -> None:
    """Is masked, where there is one."""
    assert kubernetes().secrets() == (Secret(b"t0ken"),)
    assert kubernetes(token=b"").secrets() == ()
