"""What one connection may cost, and how many there may be: bounds kept by whoever serves one (``bounded``, ``direct``).

When all places are taken, the connection that has asked nothing for longest makes room. What was sent is never repeated.
"""

import asyncio
import resource
from dataclasses import dataclass, replace
from typing import Final, Protocol

from wharfinger.runtime.log import Log, place_of

MAX_LINE: Final = 32 * 1024
"""Bytes of a request line or header: a GET with many scopes, or a CI's id token as password, must fit."""
SAID_S: Final = 10.0
"""What strangers can cause at will is logged once in so long."""
RESERVED_FILES: Final = 128
"""Open files for everything else: Redis, journals, files being spilled, programs that are asked."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is allowed."""

    head_s: float = 10.0
    """From a head's first byte to its last; for the first one from the connection's start. Also for a TLS handshake."""
    idle_s: float = 75.0
    """Between two requests. Longer than what common proxies wait (60 s): the one who reuses a connection should close it."""
    linger_s: float = 2.0
    """What is read on of a body that nobody wants, so that the answer is not lost with it."""
    answer_s: float = 30.0
    """Until some of an answer that does not fit into the socket is taken."""
    head_size: int = 3 * MAX_LINE
    """Bytes of a head: the request line, an Authorization header, and as much again."""
    connections: int = 2_048
    """Of one process, handshakes included. A registry opens one for each event, and flushes its whole queue after an outage."""


def address_of(peername: object) -> str:
    """A peer's address, as a transport names it; empty on a unix socket.

    What a client has bound its own end to there is its own word: a path may look like the address of somebody else.
    """
    return str(peername[0]) if isinstance(peername, tuple) else ""


class Placed(Protocol):
    """What takes a place: a connection, or one whose TLS handshake is under way."""

    def waits(self) -> bool:
        """Whether it has no request under way."""

    def drop(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections of one process, by how long ago their last request began."""

    def __init__(self, bounds: Bounds, log: Log) -> None:
        self.bounds = bounds
        self._log = log
        self._open: dict[Placed, None] = {}
        self._said: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def opened(self, connection: Placed) -> None:
        """A new one. When there are too many, one that waits for a request is closed for it: else the new one itself."""
        self._open[connection] = None
        if len(self._open) > self.bounds.connections:
            self.say("connections.full", most=self.bounds.connections)
            dropped = next((one for one in self._open if one is not connection and one.waits()), connection)
            # At once, not when it is gone: of many that come in one go each needs another to make room.
            self.closed(dropped)
            dropped.drop()

    def asked(self, connection: Placed) -> None:
        """A request began."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def closed(self, connection: Placed) -> None:
        """It is gone."""
        self._open.pop(connection, None)

    def say(self, event: str, **fields: object) -> None:
        """Log what anybody can cause: once in SAID_S, with how many there were since."""
        now = asyncio.get_running_loop().time()
        until, count = self._said.get(event, (now, 0))
        if now < until:
            self._said[event] = (until, count + 1)
            return
        self._said[event] = (now + SAID_S, 0)
        self._log(event, more=count, **fields)

    def failed(self, error: BaseException) -> None:
        """A request broke on a mistake of ours: where, but not its text, which may hold what was sent."""
        self._log("request.failed", error=type(error).__name__, **place_of(error.__traceback__))


def within_open_files(bounds: Bounds) -> Bounds:
    """No more connections than the process may open files for; its soft limit is raised as far as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = bounds.connections + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return replace(bounds, connections=min(bounds.connections, max(RESERVED_FILES, soft - RESERVED_FILES)))
    return bounds
