"""Swarm: a service is given the pushed digest, new tasks first, and Swarm itself goes back when they fail.

Source: Docker Engine API 1.41, "Update a service": the whole spec is sent with the version that was looked at. A digest is
resolved by whoever sends an update, not by Swarm. Going back by itself, Swarm puts the spec from before in the place of ours,
and our label goes with it: so an update of ours is known by when Swarm began one, against when it had begun the one before.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from wharfinger.runtime.settings import Secret, SwarmTarget
from workers.decide.conversation import (
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    Lost,
    at,
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
from workers.decide.targets.following import RUN, in_time

LABEL: Final = "wharfinger.delivery"
MONITOR_NS: Final = 30_000_000_000
"""How long Swarm watches each new task, where the service does not say."""
_NEVER: Final = "never"
_NOT_FOUND: Final = 404
_OUT_OF_SEQUENCE: Final = "update out of sequence"
_NO_MANAGER: Final = "not a swarm manager"
_UNDER_WAY: Final = frozenset({"updating", "rollback_started"})


class Swarm:
    """A ``Talk``. ``login``: as which account Swarm pulls; None: as nobody."""

    def __init__(self, settings: SwarmTarget, login: Mapping[str, str] | None) -> None:
        self._settings = settings
        self._login = login
        self._path = f"/services/{quote(settings.service, safe='')}"

    def secrets(self) -> tuple[Secret, ...]:
        """The registry's password, also as it stands in a header."""
        return () if self._login is None else (Secret(self._login["password"].encode()), Secret(self._auth().encode()))

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Look, and update with what was seen."""
        reply = yield Ask(method="GET", path=self._path)
        if isinstance(reply, Lost):
            return Retry(reply.reason)
        if not is_success(reply):
            return self._unseen(reply, now_s=now_s)
        found = content(reply)
        stopped = self._not_now(found, order)
        if stopped is not None:
            return stopped
        before, started = image_of(found), started_of(found)
        query = urlencode({"version": text_at(found, "Version", "Index"), "registryAuthFrom": "spec"})
        ask = Ask(
            method="POST",
            path=f"/services/{quote(text_at(found, 'ID'))}/update?{query}",
            headers={"Content-Type": "application/json", "X-Registry-Auth": self._auth()},
            body=json.dumps(self._spec(found, order)).encode(),
        )
        # Whose an update is that is seen later is told by both.
        heard = yield from starting(ask, now_s=now_s, what=f"{started} {before}", never=_OUT_OF_SEQUENCE)
        if not isinstance(heard, Heard):
            return heard
        yield Keep({"asked": str(now_s), "what": f"{started} {before}", RUN: text_at(found, "ID")})
        return Waiting(f"the update of {self._settings.service} began", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look how far Swarm has come."""
        reply = yield Ask(method="GET", path=self._path)
        if isinstance(reply, Lost) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        found = content(reply)
        started, _, before = noted.get("what", "").partition(" ")
        anew = started_of(found) != started
        if text_at(found, "Spec", "Labels", LABEL) == order.delivery_id:
            sent = _read(found) if anew else Waiting("Swarm has not begun the update yet", LOOK_S)
            return in_time(sent, noted, timeout_s=self._settings.timeout_s, now_s=now_s)
        if anew and image_of(found) == before and _state(found).startswith("rollback_"):
            return in_time(_read(found), noted, timeout_s=self._settings.timeout_s, now_s=now_s)
        if noted.get(RUN):
            return Failed(f"service {self._settings.service} was changed by somebody else meanwhile; it is left as it is")
        return (yield from missing(noted, now_s=now_s))

    def _unseen(self, reply: Heard, *, now_s: int) -> Sent:
        sent = refusal(reply, now_s=now_s)
        if reply.status == _NOT_FOUND:
            return self._absent()
        if _NO_MANAGER in sent.reason:
            return Refused("the Engine is no manager of a swarm: name one that is in host")
        return sent

    def _not_now(self, found: Any, order: Order) -> Sent | None:
        # Swarm takes a name that is nobody's for the beginning of an id.
        if text_at(found, "Spec", "Name") != self._settings.service:
            return self._absent()
        mode = at(found, "Spec", "Mode")
        if not isinstance(mode, dict) or not {"Replicated", "Global"} & set(mode):
            return Refused(f"service {self._settings.service} is a job, which is not updated but run again")
        if image_of(found).endswith(f"@{order.digest}"):
            return Unchanged(f"service {self._settings.service} names this digest already")
        if _state(found) in _UNDER_WAY:
            return Retry(f"another update of {self._settings.service} is under way")
        return None

    def _absent(self) -> Refused:
        return Refused(f"there is no service {self._settings.service}; create it once, with all that it needs")

    def _spec(self, found: Any, order: Order) -> dict[str, Any]:
        """All that it was, with another image."""
        spec: dict[str, Any] = at(found, "Spec")
        task: dict[str, Any] = at(spec, "TaskTemplate") or {}
        image = f"{order.registry_host}/{order.repository}:{order.tag}@{order.digest}"
        container = {**(at(task, "ContainerSpec") or {}), "Image": image}
        given: dict[str, Any] = at(spec, "UpdateConfig") or {}
        update = {"Parallelism": 1, "Monitor": MONITOR_NS, "MaxFailureRatio": 0, **given}
        update |= {"Order": self._settings.order.value, "FailureAction": "rollback"}
        return {
            **spec,
            "Labels": {**(at(spec, "Labels") or {}), LABEL: order.delivery_id},
            "TaskTemplate": {**task, "ContainerSpec": container},
            "UpdateConfig": update,
        }

    def _auth(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(dict(self._login or {})).encode()).decode()


def image_of(found: Any) -> str:
    """The image that a service names."""
    return text_at(found, "Spec", "TaskTemplate", "ContainerSpec", "Image")


def started_of(found: Any) -> str:
    """When Swarm began its last update."""
    return text_at(found, "UpdateStatus", "StartedAt") or _NEVER


def _state(found: Any) -> str:
    return text_at(found, "UpdateStatus", "State")


def _read(found: Any) -> Sent:
    state, why = _state(found), storable(text_at(found, "UpdateStatus", "Message"))
    match state:
        case "completed":
            return Delivered("updated: every new task runs")
        case "rollback_completed":
            return Undone(f"the new tasks failed ({why}); the old ones serve again")
        case "paused" | "rollback_paused":
            return Failed(f"Swarm stopped on the way ({state}): {why}")
        case _:
            return Waiting(f"Swarm is {state or 'at work'}: {why}", LOOK_S)
