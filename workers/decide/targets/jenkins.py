"""Jenkins: a job with parameters, from its place in the queue to the end of its build.

Source: Jenkins' remote access API, ``buildWithParameters``, the queue and the builds of a job. With an API token no crumb is
asked for. Jenkins drops parameters that a job does not declare, and says nothing: so the job is asked first.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import JenkinsTarget, Secret
from workers.decide.conversation import (
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    Lost,
    at,
    content,
    entries,
    is_success,
    refusal,
    starting,
    text_at,
    unanswered,
)
from workers.decide.fields import filled
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Waiting
from workers.decide.targets.following import RUN, Search, followed, in_time

ITEM: Final = "item"
"""Under which a place in the queue is kept."""
BUILDS_LOOKED_AT: Final = 100
_CREATED: Final = 201
_NOT_FOUND: Final = 404
_ITEM: Final = re.compile(r"/queue/item/(\d{1,18})/?$", re.ASCII)


class Jenkins:
    """A ``Talk``."""

    def __init__(self, settings: JenkinsTarget) -> None:
        self._settings = settings
        self._root = urlsplit(settings.reach.url).path
        self._job = self._root + "".join(f"/job/{quote(part, safe='')}" for part in settings.job.split("/"))

    def secrets(self) -> tuple[Secret, ...]:
        """The token, also as it stands in a header."""
        return (self._settings.token, Secret(self._basic()))

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Ask the job for its parameters, and if it has all of ours, for a build."""
        reply = yield self._ask("GET", f"{self._job}/api/json?{_tree('property[parameterDefinitions[name]]')}")
        if isinstance(reply, Lost):
            return Retry(reply.reason)
        if not is_success(reply):
            return refusal(reply, now_s=now_s)
        kinds = entries(at(content(reply), "property"))
        declared = {text_at(one, "name") for kind in kinds for one in entries(at(kind, "parameterDefinitions"))}
        undeclared = sorted(set(self._settings.parameters) - declared)
        if undeclared:
            return Refused(
                f"the job declares no parameter {', '.join(undeclared)}, which Jenkins would drop: add it to the job"
            )
        form = urlencode(filled(self._settings.parameters, order)).encode()
        heard = yield from starting(self._ask("POST", f"{self._job}/buildWithParameters", form), now_s=now_s)
        if not isinstance(heard, Heard):
            return heard
        item = _ITEM.search(urlsplit(heard.headers.get("location", "")).path)
        # Only its number is taken: where Jenkins believes to be is not where it was reached.
        if heard.status == _CREATED and item is not None:
            yield Keep({"asked": str(now_s), ITEM: item[1]})
        return Waiting("accepted; its build is waited for", LOOK_S)

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at its place in the queue, and then at its build."""
        if noted.get(ITEM) and not noted.get(RUN):
            reply = yield self._ask("GET", f"{self._root}/queue/item/{noted[ITEM]}/api/json")
            if isinstance(reply, Lost) or (not is_success(reply) and reply.status != _NOT_FOUND):
                return unanswered(reply, now_s=now_s)
            queued = content(reply) if is_success(reply) else None
            build = text_at(queued, "executable", "number")
            if at(queued, "cancelled"):
                return Failed("it was cancelled in Jenkins' queue")
            if queued is not None and not build:
                why = text_at(queued, "why") or "not told why"
                waits = Waiting(f"it waits in Jenkins' queue: {why}", LOOK_S)
                return in_time(waits, noted, timeout_s=self._settings.timeout_s, now_s=now_s)
            if build:
                yield Keep({**noted, RUN: build})
                noted = {**noted, RUN: build}
            # Else Jenkins has forgotten its place, as it does after five minutes: it is found among the builds.
        return (
            yield from followed(
                noted,
                find=lambda: self._find(order, now_s=now_s),
                look=lambda build: self._ask("GET", f"{self._job}/{quote(build)}/api/json?{_tree('building,result,url')}"),
                read=_read,
                timeout_s=self._settings.timeout_s,
                now_s=now_s,
            )
        )

    def _find(self, order: Order, *, now_s: int) -> Search:
        # The queue first: what leaves it meanwhile is a build by then.
        queue = f"{self._root}/queue/api/json?{_tree('items[id,actions[parameters[value]]]')}"
        builds = f"{self._job}/api/json?{_tree(f'builds[number,actions[parameters[value]]]{{0,{BUILDS_LOOKED_AT}}}')}"
        for path, name in ((queue, "items"), (builds, "builds")):
            reply = yield self._ask("GET", path)
            if isinstance(reply, Lost) or not is_success(reply):
                return unanswered(reply, now_s=now_s)
            for one in entries(at(content(reply), name)):
                if _has(one, order.delivery_id):
                    return Waiting("it is in Jenkins' queue", LOOK_S) if name == "items" else text_at(one, "number")
        return ""

    def _ask(self, method: str, path: str, body: bytes = b"") -> Ask:
        headers = {"Authorization": f"Basic {self._basic().decode()}"}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Ask(method=method, path=path, headers=headers, body=body)

    def _basic(self) -> bytes:
        return base64.b64encode(f"{self._settings.user}:{self._settings.token.reveal().decode()}".encode())


def _tree(names: str) -> str:
    return urlencode({"tree": names})


def _has(one: Any, delivery: str) -> bool:
    parameters = [parameter for action in entries(at(one, "actions")) for parameter in entries(at(action, "parameters"))]
    return any(delivery in text_at(parameter, "value") for parameter in parameters)


def _read(build: Any) -> Sent:
    where, result = f"build {text_at(build, 'url')}", text_at(build, "result")
    if at(build, "building") is not False or not result:
        return Waiting(f"{where} runs", LOOK_S)
    return Delivered(f"{where} ended: {result}") if result == "SUCCESS" else Failed(f"{where} ended: {result}")
