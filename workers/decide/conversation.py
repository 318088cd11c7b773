"""What a target that is spoken to over HTTP may ask and be answered: plain values, and generators that decide what comes next.

A conversation yields what is to be asked or kept, is sent what was heard, and returns what became of the order. It sends
nothing itself, so each can be played to its end with a list of answers. Its rules: keep what is about to begin before it is
asked for; after a lost answer find out whether it was begun, and never ask for it again unless that is known.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from wharfinger.runtime.settings import Secret
from workers.decide.order import Failed, Order, Retry, Sent, Waiting
from workers.decide.webhook import meaning, retry_after

LOOK_S: Final = 5.0
"""Between two looks at what was begun."""
APPEARS_S: Final = 60
"""So long after a lost answer what was begun may still be on its way into a list."""
MAX_SAID: Final = 300
_FORBIDDEN: Final = 403
_CONFLICT: Final = 409
_GONE: Final = 410
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request. ``path``: with its query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Keep:
    """What must be found again, kept durably before anything else is asked; empty: nothing is begun any more."""

    what: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came. ``sent``: the request may have arrived all the same."""

    reason: str
    sent: bool


Reply = Heard | Lost
Conversation = Generator[Ask | Keep, Reply, Sent]


class Talk(Protocol):
    """How one kind of target is spoken to."""

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Carry out an order of which nothing was begun."""

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Go on with one of which something may have been."""

    def secrets(self) -> tuple[Secret, ...]:
        """What must never stand in a reason, though a peer may repeat it."""


def starting(ask: Ask, *, now_s: int, what: str = "", never: str = "") -> Generator[Ask | Keep, Reply, Heard | Sent]:
    """Ask for what must not be begun twice. An answer 2xx; or what became of the order, and what was kept says whether to look.

    Args:
        ask: the request.
        now_s: kept as the time it was asked for.
        what: kept beside it.
        never: what a peer says, whatever its status, when for certain nothing began and it may be asked for again.
    """
    yield Keep({"asked": str(now_s)} | ({"what": what} if what else {}))
    reply = yield ask
    if isinstance(reply, Lost):
        if reply.sent:
            return Waiting(f"{reply.reason}; whether it began is looked up", LOOK_S)
        yield Keep({})
        return Retry(reply.reason)
    if never and never in said(reply):
        yield Keep({})
        return Retry(f"answered {reply.status}: {said(reply)}")
    if reply.status >= _SERVER_ERROR:
        # Whatever stands before the real one may have lost its answer.
        return Waiting(f"{refusal(reply, now_s=now_s).reason}; whether it began is looked up", LOOK_S)
    if not is_success(reply):
        yield Keep({})
        return refusal(reply, now_s=now_s)
    return reply


def missing(noted: Mapping[str, str], *, now_s: int) -> Generator[Ask | Keep, Reply, Sent]:
    """What was asked for, and is not to be found: on its way, or it never began and may be asked for again."""
    if now_s - asked_at(noted) < APPEARS_S:
        return Waiting("the answer was lost, and nothing is found yet that it began", LOOK_S)
    # Crash just after: the next claim begins anew, as it may.
    yield Keep({})
    return Retry("the answer was lost, and nothing had begun")


def asked_at(noted: Mapping[str, str]) -> int:
    """When what was kept was asked for, seconds since the epoch."""
    return int(noted.get("asked", "0"))


def is_success(heard: Heard) -> bool:
    """Whether an answer is 2xx."""
    return 200 <= heard.status < 300  # noqa: PLR2004 - HTTP's own classes


def refusal(heard: Heard, *, now_s: int) -> Retry | Failed:
    """What an answer that is no success means, or one that cannot be read, with what the peer said."""
    text = said(heard)
    why = f": {text}" if text else ""
    if heard.status == _FORBIDDEN and ("retry-after" in heard.headers or heard.headers.get("x-ratelimit-remaining") == "0"):
        # As GitHub says that there were too many requests.
        return Retry(f"answered {heard.status}{why}", _asked_to_wait(heard, now_s=now_s))
    if heard.status == _CONFLICT:
        # Somebody changed the same thing meanwhile, or something is under way with it.
        return Retry(f"answered {heard.status}{why}")
    match meaning(heard.status, heard.headers, now_s=now_s):
        case Retry(reason, after_s):
            return Retry(reason + why, after_s)
        case Failed(reason) if heard.status != _GONE:
            return Failed(reason + why)
        case _:
            return Failed(f"answered {heard.status}" + (why or ", and not what is documented"))


def _asked_to_wait(heard: Heard, *, now_s: int) -> float | None:
    asked = retry_after(heard.headers.get("retry-after", ""), now_s=now_s)
    reset = heard.headers.get("x-ratelimit-reset", "")
    return max(0.0, int(reset[:12]) - now_s) if asked is None and reset.isascii() and reset.isdigit() else asked


def unanswered(reply: Reply, *, now_s: int) -> Sent:
    """What it means when a look at what was begun has failed: look again, as an attempt, for it must not go on for ever."""
    if isinstance(reply, Lost):
        return Retry(f"{reply.reason}; what became of it is looked up again")
    return refusal(reply, now_s=now_s)


def content(heard: Heard) -> Any:
    """An answer's JSON; None when it is none."""
    try:
        return json.loads(heard.body)
    except (ValueError, RecursionError):
        return None


def at(value: Any, *path: str) -> Any:
    """What stands at a path of mappings; None when one of them is missing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(value: Any, *path: str) -> str:
    """The same as text; empty when it is missing or is neither text nor number."""
    found = at(value, *path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def entries(value: Any) -> list[Any]:
    """A list's entries; none of anything else."""
    return value if isinstance(value, list) else []


def said(heard: Heard) -> str:
    """What a peer says is wrong, for people: at most so many characters, and none that a ledger cannot hold."""
    found = content(heard)
    text = ""
    for name in ("message", "error", "error_description", "reason"):
        value = at(found, name)
        if value:
            text = value if isinstance(value, str) else json.dumps(value)
            break
    return storable(text)


def storable(text: str) -> str:
    """A text that a ledger can hold: a lone surrogate and a NUL are legal JSON, and no text of SQL's."""
    return text[:MAX_SAID].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def masked(sent: Sent, secrets: tuple[Secret, ...]) -> Sent:
    """The same without any secret in it."""
    name = "detail" if hasattr(sent, "detail") else "reason"
    text: str = getattr(sent, name)
    for secret in secrets:
        text = text.replace(secret.reveal().decode("utf-8", "replace"), "***")
    return replace(sent, **{name: text})  # type: ignore[arg-type]  # whichever of the two it has
