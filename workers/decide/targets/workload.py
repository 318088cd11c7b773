"""What a Deployment, StatefulSet or DaemonSet tells of itself: whose it is, which container, how far a rollout has come.

Source: the Kubernetes API, ``apps/v1``, and what ``kubectl rollout status`` holds for complete.
"""

import re
from typing import Any, Final

from wharfinger.runtime.settings import Workload
from workers.decide.conversation import at, entries, storable, text_at

_OWNERS: Final = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "argocd-": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
"""How labels and annotations, and the names of field managers, begin that those leave who keep an object as git has it."""
_DIGEST: Final = re.compile(r"@(sha256:[0-9a-f]{64})$", re.ASCII)


def is_complete(kind: Workload, found: Any) -> bool:
    """Whether all that is wanted runs as it is wanted, as ``kubectl rollout status`` tells."""
    if _number(found, "status", "observedGeneration") < _number(found, "metadata", "generation"):
        return False
    updated, wanted, available = _counts(kind, found)
    if kind is Workload.STATEFULSET:
        return available == wanted and text_at(found, "status", "currentRevision") == text_at(found, "status", "updateRevision")
    gone = kind is Workload.DAEMONSET or _number(found, "status", "replicas") == updated
    return updated == wanted == available and gone


def progress(kind: Workload, found: Any) -> str:
    """How far it has come, for people."""
    updated, wanted, available = _counts(kind, found)
    return f"{updated} of {wanted} updated, {available} available"


def _counts(kind: Workload, found: Any) -> tuple[int, int, int]:
    if kind is Workload.DAEMONSET:
        names = ("updatedNumberScheduled", "desiredNumberScheduled", "numberAvailable")
        updated, wanted, available = (_number(found, "status", name) for name in names)
        return updated, wanted, available
    ready = "availableReplicas" if kind is Workload.DEPLOYMENT else "readyReplicas"
    wanted = _number(found, "spec", "replicas", default=1)
    return _number(found, "status", "updatedReplicas"), wanted, _number(found, "status", ready)


def failure(found: Any) -> str:
    """Why a rollout has failed; empty while it has not. One of an older rollout is told until the new one is observed."""
    if _number(found, "status", "observedGeneration") < _number(found, "metadata", "generation"):
        return ""
    for condition in entries(at(found, "status", "conditions")):
        if text_at(condition, "type") == "Progressing" and text_at(condition, "reason") == "ProgressDeadlineExceeded":
            return f"its progress deadline was exceeded: {storable(text_at(condition, 'message'))}"
    return ""


def container_of(found: Any, wanted: str) -> tuple[str, str] | str:
    """Name and image of the container to change; or why that may not be done. A name that is not there would be added."""
    refused = _owner(found) or _stands_still(found)
    if refused:
        return refused
    containers = [one for one in entries(at(found, "spec", "template", "spec", "containers")) if isinstance(one, dict)]
    fitting = [one for one in containers if not wanted or text_at(one, "name") == wanted]
    if len(fitting) != 1:
        names = ", ".join(text_at(one, "name") for one in containers)
        return f"has the containers {names}: name the one to change in container"
    return text_at(fitting[0], "name"), text_at(fitting[0], "image")


def selector_of(found: Any) -> str:
    """By which labels its pods are found."""
    labels = at(found, "spec", "selector", "matchLabels")
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) if isinstance(labels, dict) else ""


def has_digest(image: str) -> bool:
    """Whether an image is named by its digest."""
    return _DIGEST.search(image) is not None


def running(pods: Any, container: str, image: str) -> str:
    """An image as its pods run it, by digest; as it is named when none that is ready tells."""
    for pod in entries(at(pods, "items")):
        for status in entries(at(pod, "status", "containerStatuses")):
            digest = _DIGEST.search(text_at(status, "imageID"))
            if text_at(status, "name") == container and at(status, "ready") is True and digest is not None:
                return f"{_repository(image)}@{digest[1]}"
    return image


def _owner(found: Any) -> str:
    metadata = at(found, "metadata")
    marks = [*(at(metadata, "labels") or {}), *(at(metadata, "annotations") or {})]
    managers = [text_at(one, "manager") for one in entries(at(metadata, "managedFields"))]
    for mark in (*marks, *managers):
        for beginning, owner in _OWNERS.items():
            if mark.startswith(beginning):
                return f"belongs to {owner}, which would undo what is done here; deploy by it instead"
    return ""


def _stands_still(found: Any) -> str:
    if at(found, "spec", "paused") is True:
        return "is paused; resume its rollouts first"
    strategy = at(found, "spec", "updateStrategy")
    if text_at(strategy, "type") == "OnDelete":
        return "is updated only where somebody deletes pods (OnDelete); give it RollingUpdate"
    if _number(strategy, "rollingUpdate", "partition"):
        return "is updated only in part (partition); set that to 0"
    return ""


def _repository(image: str) -> str:
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _number(value: Any, *path: str, default: int = 0) -> int:
    found = at(value, *path)
    return found if isinstance(found, int) else default
