"""Argo CD: a sync of an application, followed until what it made is healthy.

Source: Argo CD's API, ``POST /api/v1/applications/{name}/sync`` (``infos`` are kept with the operation, and tell whose it is)
and ``GET /api/v1/applications/{name}``. What is synced is what git says: an application that is to run the pushed digest
must be told it there, or by Argo CD Image Updater.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import ArgoCDTarget, Secret
from workers.decide.conversation import (
    APPEARS_S,
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    asked_at,
    at,
    content,
    entries,
    is_success,
    missing,
    starting,
    storable,
    text_at,
    unanswered,
)
from workers.decide.order import Delivered, Failed, Order, Retry, Sent, Waiting
from workers.decide.targets.following import RUN, in_time

INFO: Final = "wharfinger.delivery"
_BUSY: Final = "another operation is already in progress"


class ArgoCD:
    """A ``Talk``."""

    def __init__(self, settings: ArgoCDTarget) -> None:
        self._settings = settings
        self._path = f"{urlsplit(settings.reach.url).path}/api/v1/applications/{quote(settings.application, safe='')}"

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return (self._settings.token,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Ask for a sync."""
        body: dict[str, object] = {"prune": self._settings.prune, "dryRun": False}
        body["infos"] = [{"name": INFO, "value": order.delivery_id}, {"name": "image", "value": order.image()}]
        if self._settings.revision:
            body["revision"] = self._settings.revision
        if self._settings.namespace:
            body["appNamespace"] = self._settings.namespace
        heard = yield from starting(self._ask("POST", f"{self._path}/sync", json.dumps(body).encode()), now_s=now_s)
        if isinstance(heard, Failed) and _BUSY in heard.reason:
            return Retry(heard.reason)
        if not isinstance(heard, Heard):
            return heard
        yield Keep({"asked": str(now_s), RUN: order.delivery_id})
        return Waiting(f"the sync of {self._settings.application} began", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at the application."""
        query = f"?{urlencode({'appNamespace': self._settings.namespace})}" if self._settings.namespace else ""
        reply = yield self._ask("GET", self._path + query)
        if not isinstance(reply, Heard) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        found = content(reply)
        if _is_ours(at(found, "operation"), order):
            return self._in_time(Waiting("the sync has not begun yet", LOOK_S), noted, now_s=now_s)
        if _is_ours(at(found, "status", "operationState", "operation"), order):
            return self._in_time(_read(found, noted, now_s=now_s), noted, now_s=now_s)
        if not noted.get(RUN):
            return (yield from missing(noted, now_s=now_s))
        if now_s - asked_at(noted) < APPEARS_S and at(found, "operation") is None:
            return Waiting("the sync is not to be seen yet", LOOK_S)
        return Failed("another sync of the application came after this one, whose end is not known")

    def _in_time(self, sent: Sent, noted: Mapping[str, str], *, now_s: int) -> Sent:
        return in_time(sent, noted, timeout_s=self._settings.timeout_s, now_s=now_s)

    def _ask(self, method: str, path: str, body: bytes = b"") -> Ask:
        headers = {"Authorization": f"Bearer {self._settings.token.reveal().decode()}"}
        if body:
            headers["Content-Type"] = "application/json"
        return Ask(method=method, path=path, headers=headers, body=body)


def _is_ours(operation: Any, order: Order) -> bool:
    infos = entries(at(operation, "info"))
    return any(text_at(one, "name") == INFO and text_at(one, "value") == order.delivery_id for one in infos)


def _read(application: Any, noted: Mapping[str, str], *, now_s: int) -> Sent:
    phase = text_at(application, "status", "operationState", "phase")
    message = storable(text_at(application, "status", "operationState", "message"))
    if phase in {"Failed", "Error"}:
        return Failed(f"the sync ended: {phase}: {message}")
    if phase != "Succeeded":
        return Waiting(f"the sync is {phase or 'not told'}", LOOK_S)
    health = text_at(application, "status", "health", "status")
    if health == "Healthy":
        return Delivered("synced, and healthy")
    # What it was before may be told for a while after a sync.
    if health == "Degraded" and now_s - asked_at(noted) >= APPEARS_S:
        return Failed("synced, and degraded")
    return Waiting(f"synced, and {health or 'of a health that is not told'}", LOOK_S)
