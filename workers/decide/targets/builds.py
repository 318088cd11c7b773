"""What Woodpecker and Drone, of one origin, have in common: numbered builds of a repository, with what was given to them."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from workers.decide.conversation import (
    LOOK_S,
    Ask,
    Conversation,
    Heard,
    Keep,
    at,
    content,
    entries,
    is_success,
    starting,
    text_at,
    unanswered,
)
from workers.decide.order import Delivered, Failed, Order, Sent, Waiting
from workers.decide.targets.following import Search, began, followed

LISTED: Final = 50
_OVER: Final = frozenset({"failure", "error", "killed", "declined", "skipped", "canceled"})


def begin_build(ask: Ask, *, now_s: int) -> Conversation:
    """Ask for a build; its number is in the answer. No content: nothing of the repository wants to run for that."""
    heard = yield from starting(ask, now_s=now_s)
    if not isinstance(heard, Heard):
        return heard
    number = text_at(content(heard), "number")
    if number:
        return (yield from began(number, f"build {number}", now_s=now_s))
    if not heard.body:
        yield Keep({})
        return Failed(f"answered {heard.status}: nothing of the repository is run by that event and branch")
    return Waiting("accepted; its build is looked up", LOOK_S)


def follow_build(
    order: Order,
    noted: Mapping[str, str],
    *,
    ask: Callable[[str], Ask],
    given: str,
    timeout_s: float,
    now_s: int,
) -> Conversation:
    """Look at a build. ``ask``: a request below the builds; ``given``: under which a build has what was given to it."""

    def find() -> Search:
        reply = yield ask(f"?page=1&per_page={LISTED}")
        if not isinstance(reply, Heard) or not is_success(reply):
            return unanswered(reply, now_s=now_s)
        for build in entries(content(reply)):
            values = at(build, given)
            if isinstance(values, dict) and any(order.delivery_id in str(value) for value in values.values()):
                return text_at(build, "number")
        return ""

    return (
        yield from followed(
            noted, find=find, look=lambda number: ask(f"/{quote(number)}"), read=_read, timeout_s=timeout_s, now_s=now_s
        )
    )


def _read(build: Any) -> Sent:
    where, status = f"build {text_at(build, 'number')}", text_at(build, "status")
    if status == "success":
        return Delivered(f"{where} ended: {status}")
    if status in _OVER:
        return Failed(f"{where} ended: {status}")
    return Waiting(f"{where} waits to be approved" if status == "blocked" else f"{where} is {status or 'not told'}", LOOK_S)
