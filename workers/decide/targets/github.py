"""GitHub: ``workflow_dispatch`` or ``repository_dispatch``, and the run that comes of it.

Source: GitHub's REST API, version 2022-11-28: "Create a workflow dispatch event" (with ``return_run_details`` the answer names
the run, else it is 204), "Create a repository dispatch event" (204), "List workflow runs", "Get a workflow run". A run that was
not named is found by the delivery's id in its title, where the workflow's ``run-name`` puts it.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import GitHubTarget, Secret
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
    text_at,
    unanswered,
)
from workers.decide.fields import filled
from workers.decide.order import Delivered, Failed, Order, Sent, Waiting
from workers.decide.targets.following import Search, began, followed, since

VERSION: Final = "2022-11-28"
_ACCEPTED: Final = "accepted"
_NOT_FOLLOWED: Final = "accepted; its end is not waited for (follow: false)"
_GOOD: Final = frozenset({"success", "neutral"})


class GitHub:
    """A ``Talk``."""

    def __init__(self, settings: GitHubTarget) -> None:
        self._settings = settings
        self._base = f"{urlsplit(settings.reach.url).path}/repos/{quote(settings.repository)}"
        self._actions = f"{self._base}/actions"
        if settings.workflow:
            self._begin_path = f"{self._actions}/workflows/{quote(settings.workflow, safe='')}/dispatches"
        else:
            self._begin_path = f"{self._base}/dispatches"

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return (self._settings.token,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Dispatch, and keep the run if the answer names it."""
        heard = yield from starting(self._ask("POST", self._begin_path, self._body(order)), now_s=now_s)
        if not isinstance(heard, Heard):
            return heard
        if not self._settings.follow:
            # Crash just after: it is known that it was accepted, and it is not asked for again.
            yield Keep({"asked": str(now_s), "what": _ACCEPTED})
            return Delivered(_NOT_FOLLOWED)
        answer = content(heard)
        run = text_at(answer, "workflow_run_id")
        if run:
            return (yield from began(run, text_at(answer, "html_url"), now_s=now_s))
        yield Keep({"asked": str(now_s), "what": _ACCEPTED})
        return Waiting("accepted; its run is looked up", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at the run."""
        if not self._settings.follow:
            if noted.get("what") == _ACCEPTED:
                return Delivered(_NOT_FOLLOWED)
            # Its answer was lost, so it is looked up all the same, once.
            found = yield from self._find(order, noted, now_s=now_s)
            if found == "":
                return (yield from missing(noted, now_s=now_s))
            return Delivered(_NOT_FOLLOWED) if isinstance(found, str) else found
        return (
            yield from followed(
                noted,
                find=lambda: self._find(order, noted, now_s=now_s),
                unfound=lambda: _unfound(noted, now_s=now_s),
                look=lambda run: self._ask("GET", f"{self._actions}/runs/{quote(run)}"),
                read=_read,
                timeout_s=self._settings.timeout_s,
                now_s=now_s,
            )
        )

    def _find(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Search:
        event = "workflow_dispatch" if self._settings.workflow else "repository_dispatch"
        query = urlencode({"event": event, "created": f">={since(noted)}", "per_page": "100"})
        reply = yield self._ask("GET", f"{self._actions}/runs?{query}")
        if not isinstance(reply, Heard) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        for run in entries(at(content(reply), "workflow_runs")):
            if order.delivery_id in text_at(run, "display_title") or order.delivery_id in text_at(run, "name"):
                return text_at(run, "id")
        return ""

    def _body(self, order: Order) -> bytes:
        inputs = filled(self._settings.inputs, order)
        if self._settings.workflow:
            return _json({"ref": self._settings.ref, "inputs": inputs, "return_run_details": True})
        return _json({"event_type": self._settings.event_type, "client_payload": inputs})

    def _ask(self, method: str, path: str, body: bytes = b"") -> Ask:
        headers = {
            "Authorization": f"Bearer {self._settings.token.reveal().decode()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
        }
        if body:
            headers["Content-Type"] = "application/json"
        return Ask(method=method, path=path, headers=headers, body=body)


def _unfound(noted: Mapping[str, str], *, now_s: int) -> Conversation:
    if noted.get("what") != _ACCEPTED:
        return (yield from missing(noted, now_s=now_s))
    if now_s - asked_at(noted) < APPEARS_S:
        return Waiting("accepted; its run is looked up", LOOK_S)
    return Delivered("accepted; no run has the delivery's id in its name (run-name), so its end is not known")


def _read(run: Any) -> Sent:
    where = f"run {text_at(run, 'html_url') or text_at(run, 'id')}"
    if text_at(run, "status") != "completed":
        return Waiting(f"{where} is {text_at(run, 'status') or 'in a state that is not told'}", LOOK_S)
    conclusion = text_at(run, "conclusion")
    ended = f"{where} ended: {conclusion}"
    return Delivered(ended) if conclusion in _GOOD else Failed(ended)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
