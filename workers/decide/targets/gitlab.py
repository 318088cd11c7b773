"""GitLab: a pipeline by its trigger, followed when there is a token that may read it.

Source: GitLab's REST API v4: "Trigger a pipeline with a token" (the token stands in the body, never in a URL that is logged),
"List project pipelines", "Get a single pipeline", "Get pipeline variables". A pipeline whose answer was lost is found by the
delivery's id: in its name (``workflow: name``), or else in its variables, which a token may not be allowed to read.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import GitLabTarget, Secret
from workers.decide.conversation import (
    APPEARS_S,
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    asked_at,
    content,
    entries,
    is_success,
    starting,
    text_at,
    unanswered,
)
from workers.decide.fields import filled
from workers.decide.order import Delivered, Failed, Order, Sent, Waiting
from workers.decide.targets.following import RUN, Search, began, followed, since

LOOKED_INTO: Final = 20
"""Pipelines whose variables are read to find one."""
_NOT_FOUND: Final = 404
_OVER: Final = frozenset({"failed", "canceled", "skipped"})


class GitLab:
    """A ``Talk``."""

    def __init__(self, settings: GitLabTarget) -> None:
        self._settings = settings
        self._base = f"{urlsplit(settings.reach.url).path}/api/v4/projects/{quote(settings.project, safe='')}"

    def secrets(self) -> tuple[Secret, ...]:
        """Both tokens."""
        read = self._settings.read_token
        return (self._settings.token, *(() if read is None else (read,)))

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Trigger."""
        form = {"token": self._settings.token.reveal().decode(), "ref": self._settings.ref}
        form |= {f"variables[{name}]": value for name, value in filled(self._settings.variables, order).items()}
        form |= {f"inputs[{name}]": value for name, value in filled(self._settings.inputs, order).items()}
        heard = yield from starting(
            Ask(
                method="POST",
                path=f"{self._base}/trigger/pipeline",
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
            ),
            now_s=now_s,
        )
        if isinstance(heard, Failed) and heard.reason.startswith(f"answered {_NOT_FOUND}"):
            return Failed(f"{heard.reason} (no such project, or the token is not of the kind that triggers, glptt-…)")
        if not isinstance(heard, Heard):
            return heard
        answer = content(heard)
        pipeline, url = text_at(answer, "id"), text_at(answer, "web_url")
        if self._settings.read_token is None:
            # Crash just after: it is known that it was created, and it is not asked for again.
            yield Keep({"asked": str(now_s), RUN: pipeline or "created"})
            return _not_followed(url or pipeline)
        return (yield from began(pipeline, url, now_s=now_s)) if pipeline else Waiting("accepted; looked up", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at the pipeline."""
        if self._settings.read_token is None and noted.get(RUN):
            return _not_followed(noted[RUN])
        if self._settings.read_token is None:
            return Failed("the answer was lost, and without read_token it cannot be told whether it began: look, and replay")
        return (
            yield from followed(
                noted,
                find=lambda: self._find(order, noted, now_s=now_s),
                look=lambda pipeline: self._look(f"/{quote(pipeline)}"),
                read=_read,
                timeout_s=self._settings.timeout_s,
                now_s=now_s,
            )
        )

    def _find(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Search:
        query = {"source": "trigger", "ref": self._settings.ref, "updated_after": since(noted), "per_page": "100"}
        reply = yield self._look(f"?{urlencode(query)}")
        if not isinstance(reply, Heard) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        found = entries(content(reply))
        for one in found:
            if order.delivery_id in text_at(one, "name"):
                return text_at(one, "id")
        for one in found[:LOOKED_INTO]:
            reply = yield self._look(f"/{quote(text_at(one, 'id'))}/variables")
            if not isinstance(reply, Heard) or not is_success(reply):
                return self._blind(noted, now_s=now_s)
            if any(order.delivery_id in text_at(variable, "value") for variable in entries(content(reply))):
                return text_at(one, "id")
        return ""

    def _blind(self, noted: Mapping[str, str], *, now_s: int) -> Sent:
        why = "the answer was lost, and a pipeline that may be it has no delivery's id in its name, nor variables to read"
        return Waiting(why, LOOK_S) if now_s - asked_at(noted) < APPEARS_S else Failed(f"{why}: look, and replay")

    def _look(self, path: str) -> Ask:
        token = self._settings.read_token
        headers = {} if token is None else {"PRIVATE-TOKEN": token.reveal().decode()}
        return Ask(method="GET", path=f"{self._base}/pipelines{path}", headers=headers)


def _not_followed(pipeline: str) -> Delivered:
    return Delivered(f"pipeline {pipeline} was created; without read_token its end is not waited for")


def _read(pipeline: Any) -> Sent:
    where, status = f"pipeline {text_at(pipeline, 'web_url') or text_at(pipeline, 'id')}", text_at(pipeline, "status")
    if status == "success":
        return Delivered(f"{where} ended: {status}")
    if status in _OVER:
        return Failed(f"{where} ended: {status}")
    return Waiting(f"{where} waits for a person" if status == "manual" else f"{where} is {status or 'not told'}", LOOK_S)
