"""Kubernetes: a Deployment, StatefulSet or DaemonSet is given the pushed digest, its rollout followed, and undone if it fails.

Source: the Kubernetes API, ``apps/v1``; strategic merge patch (containers are merged by name). Tried first with ``dryRun=All``;
a patch has the version that was looked at, so whoever changed the object meanwhile is not overruled. What is gone back to is
kept before anything is changed: by digest, for the tag it was made from may be another image by now.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from wharfinger.runtime.settings import KubernetesTarget, Secret, Workload
from workers.decide.conversation import (
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    Lost,
    Reply,
    asked_at,
    content,
    is_success,
    missing,
    refusal,
    starting,
    storable,
    text_at,
    unanswered,
)
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone, Waiting
from workers.decide.targets.following import RUN
from workers.decide.targets.workload import container_of, failure, has_digest, is_complete, progress, running, selector_of

MANAGER: Final = "wharfinger"
ANNOTATION: Final = "wharfinger.dev/delivery"
CAUSE: Final = "kubernetes.io/change-cause"
BEFORE: Final = "what"
"""Under which the image is kept that is gone back to."""
UNDOING: Final = "undoing"
"""Under which the reason is kept why it is gone back."""
_NOT_FOUND: Final = 404
_PATHS: Final = {Workload.DEPLOYMENT: "deployments", Workload.STATEFULSET: "statefulsets", Workload.DAEMONSET: "daemonsets"}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A workload that can be changed: as it was seen, its container, and the image to go back to."""

    found: Any
    container: str
    before: str


class Kubernetes:
    """A ``Talk``. ``token``: as it is now; None: a client certificate says who we are."""

    def __init__(self, settings: KubernetesTarget, token: Secret | None) -> None:
        self._settings = settings
        self._token = token
        self._namespace = f"/namespaces/{quote(settings.namespace)}"
        self._path = f"/apis/apps/v1{self._namespace}/{_PATHS[settings.kind]}/{quote(settings.workload)}"
        self._what = f"{settings.kind.value} {settings.namespace}/{settings.workload}"

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return () if self._token is None else (self._token,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Look, try, keep what there was, and change it."""
        ready = yield from self._prepare(order, now_s=now_s)
        if not isinstance(ready, _Ready):
            return ready
        patch = _patch(ready.found, ready.container, order.image(), order)
        tried = yield self._change(patch, dry=True)
        if isinstance(tried, Lost):
            return Retry(tried.reason)
        if not is_success(tried):
            return refusal(tried, now_s=now_s)
        changed = yield from starting(self._change(patch), now_s=now_s, what=ready.before)
        if not isinstance(changed, Heard):
            return changed
        yield Keep({"asked": str(now_s), BEFORE: ready.before, RUN: text_at(content(changed), "metadata", "generation") or "0"})
        return Waiting(f"the rollout of {self._what} began", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at the rollout; go back when it has failed."""
        reply = yield self._ask("GET", self._path)
        if isinstance(reply, Lost) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        found = content(reply)
        if text_at(found, "metadata", "annotations", ANNOTATION) != order.delivery_id:
            if noted.get(RUN):
                return Failed(f"{self._what} was changed by somebody else meanwhile; it is left as it is")
            return (yield from missing(noted, now_s=now_s))
        if UNDOING not in noted:
            seen = self._see(found, noted, now_s=now_s)
            if not isinstance(seen, str):
                return seen
            # Crash just after: whoever takes it over goes back as well.
            noted = {**noted, UNDOING: seen, "asked": str(now_s)}
            yield Keep(noted)
        return (yield from self._undo(found, noted, now_s=now_s))

    def _prepare(self, order: Order, *, now_s: int) -> Generator[Ask | Keep, Reply, _Ready | Sent]:
        absent = f"there is no {self._what}; create it once, with all that it needs"
        heard = yield from self._get(self._path, absent, now_s=now_s)
        if not isinstance(heard, Heard):
            return heard
        found = content(heard)
        container = container_of(found, self._settings.container)
        if isinstance(container, str):
            return Refused(f"{self._what} {container}")
        name, image = container
        if image == order.image():
            return Unchanged(f"{self._what} names this digest already")
        if has_digest(image):
            return _Ready(found, name, image)
        query = urlencode({"labelSelector": selector_of(found)})
        heard = yield from self._get(f"/api/v1{self._namespace}/pods?{query}", "its namespace is gone", now_s=now_s)
        return _Ready(found, name, running(content(heard), name, image)) if isinstance(heard, Heard) else heard

    def _get(self, path: str, absent: str, *, now_s: int) -> Generator[Ask | Keep, Reply, Heard | Sent]:
        reply = yield self._ask("GET", path)
        if isinstance(reply, Lost):
            return Retry(reply.reason)
        if reply.status == _NOT_FOUND:
            return Refused(absent)
        return reply if is_success(reply) else refusal(reply, now_s=now_s)

    def _see(self, found: Any, noted: Mapping[str, str], *, now_s: int) -> Sent | str:
        """What became of it, or why it must be gone back."""
        why = failure(found)
        if why:
            return why
        if is_complete(self._settings.kind, found):
            return Delivered(f"{self._what} is rolled out")
        if now_s - asked_at(noted) > self._settings.timeout_s:
            return f"it was not rolled out within {self._settings.timeout_s:g} s (timeout)"
        return Waiting(f"the rollout of {self._what} is under way: {progress(self._settings.kind, found)}", LOOK_S)

    def _undo(self, found: Any, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        why, before = noted[UNDOING], noted.get(BEFORE, "")
        container = container_of(found, self._settings.container)
        if isinstance(container, str):
            return Failed(f"{why}; and it cannot be gone back: {self._what} {container}")
        name, image = container
        if image != before:
            reply = yield self._change(_patch(found, name, before, None))
            if isinstance(reply, Lost) or not is_success(reply):
                return unanswered(reply, now_s=now_s)
            return Waiting(f"{why}; going back to {before}", LOOK_S)
        if is_complete(self._settings.kind, found):
            return Undone(f"{why}; {before} serves again")
        if now_s - asked_at(noted) > self._settings.timeout_s:
            return Failed(f"{why}; and going back to {before} has not come to an end either")
        return Waiting(f"{why}; going back to {before}: {progress(self._settings.kind, found)}", LOOK_S)

    def _change(self, patch: bytes, *, dry: bool = False) -> Ask:
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        return self._ask("PATCH", f"{self._path}?{urlencode(query)}", patch)

    def _ask(self, method: str, path: str, patch: bytes = b"") -> Ask:
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token.reveal().decode()}"}
        if patch:
            headers["Content-Type"] = "application/strategic-merge-patch+json"
        return Ask(method=method, path=path, headers=headers, body=patch)


def _patch(found: Any, container: str, image: str, order: Order | None) -> bytes:
    """``order`` None: it is gone back, and stays that delivery's."""
    metadata: dict[str, Any] = {"resourceVersion": text_at(found, "metadata", "resourceVersion")}
    if order is not None:
        cause = f"{order.repository}:{order.tag} pushed by {order.account or 'nobody'} (delivery {order.delivery_id})"
        metadata["annotations"] = {ANNOTATION: order.delivery_id, CAUSE: storable(cause)}
    containers = [{"name": container, "image": image}]
    return json.dumps({"metadata": metadata, "spec": {"template": {"spec": {"containers": containers}}}}).encode()
