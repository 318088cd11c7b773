"""What it takes to follow a run of another system to its end: find it when its answer was lost, look at it, give up in time."""

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from workers.decide.conversation import (
    APPEARS_S,
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
    unanswered,
)
from workers.decide.order import Failed, Sent, Waiting

SLOWEST_S: Final = 60.0
"""Between two looks at what takes long."""
RUN: Final = "run"
"""Under which a run is kept."""
_NOT_FOUND: Final = 404

Search = Generator[Ask | Keep, Reply, str | Sent]
"""Finds a run by what it carries; empty: there is none. Or what it means that nobody could look."""


def followed(
    noted: Mapping[str, str],
    *,
    find: Callable[[], Search],
    unfound: Callable[[], Conversation] | None = None,
    look: Callable[[str], Ask],
    read: Callable[[Any], Sent],
    timeout_s: float,
    now_s: int,
) -> Conversation:
    """Look at a run, found first if its answer was lost.

    Args:
        noted: what was kept.
        find: looks for it.
        unfound: what it means that it is not found; else that it had not begun, once it has had its time to appear.
        look: the request that shows it.
        read: what the answer to that means; Waiting: it is not over.
        timeout_s: after which it is not waited for any more.
        now_s: seconds since the epoch.
    """
    run = noted.get(RUN, "")
    if not run:
        found = yield from find()
        if not isinstance(found, str):
            return in_time(found, noted, timeout_s=timeout_s, now_s=now_s)
        if not found:
            return (yield from (missing(noted, now_s=now_s) if unfound is None else unfound()))
        yield Keep({**noted, RUN: found})
        run = found
    reply = yield look(run)
    if isinstance(reply, Heard) and reply.status == _NOT_FOUND and now_s - asked_at(noted) < APPEARS_S:
        return Waiting(f"{run} is not to be seen yet", LOOK_S)
    if isinstance(reply, Lost) or not is_success(reply):
        return unanswered(reply, now_s=now_s)
    return in_time(read(content(reply)), noted, timeout_s=timeout_s, now_s=now_s)


def in_time(sent: Sent, noted: Mapping[str, str], *, timeout_s: float, now_s: int) -> Sent:
    """The same, unless it has taken too long: the longer it takes, the more seldom it is looked at."""
    if not isinstance(sent, Waiting):
        return sent
    taken_s = now_s - asked_at(noted)
    if taken_s > timeout_s:
        return Failed(f"{sent.reason}, and was not over within {timeout_s:g} s (timeout); it is left to itself")
    return Waiting(sent.reason, min(max(sent.after_s, taken_s / 10), SLOWEST_S))


def began(run: str, url: str, *, now_s: int) -> Conversation:
    """Keep a run that was just begun, and look at it soon."""
    yield Keep({"asked": str(now_s), RUN: run})
    return Waiting(f"{url or run} began", LOOK_S)


def since(noted: Mapping[str, str]) -> str:
    """From when on a run may be the one that was asked for: a clock may be a minute wrong."""
    return datetime.fromtimestamp(asked_at(noted) - 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
