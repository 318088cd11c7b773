"""What workloads of Kubernetes tell of themselves."""

from typing import Any

import pytest

from wharfinger.runtime.settings import Workload
from workers.decide.targets.workload import container_of, failure, has_digest, is_complete, progress, running, selector_of

D, S, A = Workload.DEPLOYMENT, Workload.STATEFULSET, Workload.DAEMONSET
DIGEST = "sha256:" + "ab" * 32


def seen(status: dict[str, Any], *, generation: int = 2, replicas: int | None = 3, **spec: Any) -> dict[str, Any]:
    """An object, observed unless its status says otherwise."""
    wanted = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"generation": generation}, "spec": {**wanted, **spec}, "status": {"observedGeneration": 2, **status}}


OLD_GONE = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
SAME = {"currentRevision": "b", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("kind", "found", "complete", "told"),
    [
        (D, seen(OLD_GONE), True, "3 of 3 updated, 3 available"),
        (D, seen(OLD_GONE, generation=3), False, "3 of 3 updated, 3 available"),
        (D, seen({**OLD_GONE, "updatedReplicas": 1}), False, "1 of 3 updated, 3 available"),
        (D, seen({**OLD_GONE, "replicas": 4}), False, "3 of 3 updated, 3 available"),
        (D, seen({**OLD_GONE, "availableReplicas": 2}), False, "3 of 3 updated, 2 available"),
        (D, seen({}, replicas=0), True, "0 of 0 updated, 0 available"),
        (D, seen({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, replicas=None), True, "1 of 1 updated, 1 available"),
        (S, seen({"readyReplicas": 3, "updatedReplicas": 3, **SAME}), True, "3 of 3 updated, 3 available"),
        (S, seen({"readyReplicas": 3, **SAME}), True, "0 of 3 updated, 3 available"),
        (S, seen({"readyReplicas": 2, "updatedReplicas": 3, **SAME}), False, "3 of 3 updated, 2 available"),
        (S, seen({"readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}), False, "1 of 3 updated, 3 available"),
        (A, seen({"updatedNumberScheduled": 2, "desiredNumberScheduled": 2, "numberAvailable": 2}), True, "2 of 2 updated, 2 available"),
        (A, seen({"updatedNumberScheduled": 1, "desiredNumberScheduled": 2, "numberAvailable": 2}), False, "1 of 2 updated, 2 available"),
        (D, {}, False, "0 of 1 updated, 0 available"),
    ],
)  # fmt: skip
def test_how_far(kind: Workload, found: dict[str, Any], complete: bool, told: str) -> None:  # noqa: FBT001 - a column
    """Complete is what kubectl calls so."""
    assert (is_complete(kind, found), progress(kind, found)) == (complete, told)


EXCEEDED = {
    "conditions": [
        {"type": "Available"},
        {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": 'ReplicaSet "w" has timed out'},
    ]
}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (seen(EXCEEDED), 'its progress deadline was exceeded: ReplicaSet "w" has timed out'),
        (seen(EXCEEDED, generation=3), ""),
        (seen({"conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}]}), ""),
        (seen({}), ""),
    ],
)
def test_failures(found: dict[str, Any], expected: str) -> None:
    """Told of this rollout, and not of one before it that is not observed yet."""
    assert failure(found) == expected


def made(*containers: tuple[str, str], metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """An object with containers."""
    listed = [{"name": name, "image": image} for name, image in containers]
    return {"metadata": metadata or {}, "spec": {"template": {"spec": {"containers": listed}}, **spec}}


WEB, LOG = ("web", "reg/web:v1"), ("log", "reg/log:v1")
OWNED = "which would undo what is done here; deploy by it instead"


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        (made(WEB), "", WEB),
        (made(WEB, LOG), "log", LOG),
        (made(WEB, LOG), "", "has the containers web, log: name the one to change in container"),
        (made(WEB), "wbe", "has the containers web: name the one to change in container"),
        (made(), "", "has the containers : name the one to change in container"),
        (made(WEB, metadata={"labels": {"app": "web"}, "managedFields": [{"manager": "kubectl"}]}), "", WEB),
        (made(WEB, metadata={"annotations": {"argocd.argoproj.io/tracking-id": "x"}}), "", f"belongs to Argo CD, {OWNED}"),
        (made(WEB, metadata={"labels": {"argocd.argoproj.io/instance": "x"}}), "", f"belongs to Argo CD, {OWNED}"),
        (made(WEB, metadata={"managedFields": [{"manager": "kubectl"}, {"manager": "argocd-controller"}]}), "", f"belongs to Argo CD, {OWNED}"),
        (made(WEB, metadata={"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}), "", f"belongs to Flux, {OWNED}"),
        (made(WEB, metadata={"labels": {"helm.toolkit.fluxcd.io/name": "x"}}), "", f"belongs to Flux, {OWNED}"),
        (made(WEB, metadata={"managedFields": [{"manager": "kustomize-controller"}]}), "", f"belongs to Flux, {OWNED}"),
        (made(WEB, paused=True), "", "is paused; resume its rollouts first"),
        (made(WEB, updateStrategy={"type": "OnDelete"}), "", "is updated only where somebody deletes pods (OnDelete); give it RollingUpdate"),
        (made(WEB, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}), "", "is updated only in part (partition); set that to 0"),
        (made(WEB, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}), "", WEB),
    ],
)  # fmt: skip
def test_which_container(found: dict[str, Any], wanted: str, expected: object) -> None:
    """One that is there, of an object that nobody else keeps and that is rolled out when it is changed."""
    assert container_of(found, wanted) == expected


def pod(name: str, image_id: str, *, ready: bool = True) -> dict[str, Any]:
    """A pod with one container."""
    return {"status": {"containerStatuses": [{"name": name, "imageID": image_id, "ready": ready}]}}


@pytest.mark.parametrize(
    ("pods", "image", "expected"),
    [
        ([pod("web", f"docker-pullable://reg:5000/web@{DIGEST}")], "reg:5000/web:v1", f"reg:5000/web@{DIGEST}"),
        ([pod("web", f"reg/web@{DIGEST}")], "web", f"web@{DIGEST}"),
        ([pod("log", f"reg/log@{DIGEST}"), pod("web", f"reg/web@{DIGEST}", ready=False)], "reg/web:v1", "reg/web:v1"),
        ([pod("web", "sha256:local")], "reg/web:v1", "reg/web:v1"),
        ([{}], "reg/web:v1", "reg/web:v1"),
    ],
)
def test_what_runs(pods: list[dict[str, Any]], image: str, expected: str) -> None:
    """By the digest that a ready pod has, in the repository that the template names; else as it is named."""
    assert running({"items": pods}, "web", image) == expected


def test_selectors() -> None:
    """Labels, as a query has them."""
    assert selector_of({"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}) == "a=1,b=2"
    assert selector_of({}) == ""


@pytest.mark.parametrize(
    ("image", "expected"), [(f"reg/web:v1@{DIGEST}", True), ("reg/web:v1", False), ("reg/web@sha256:ab", False)]
)
def test_digests(image: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """A tag is none."""
    assert has_digest(image) is expected
