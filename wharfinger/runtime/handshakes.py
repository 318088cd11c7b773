"""TLS handshakes: each has a place among the connections from its first moment on, and makes room like one that asks nothing.

asyncio's servers tell nobody of a connection before its handshake is done, so any number of half-done ones would fit beside the
bounded ones. So here connections are accepted plain, counted, and only then given to TLS.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import cast

from wharfinger.runtime.connections import Connections


class Handshake(asyncio.Protocol):
    """A connection whose handshake is under way. ``make``: the protocol of one that is through."""

    def __init__(self, connections: Connections, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self._connections = connections
        self._context = context
        self._make = make
        self._began = False
        self._socket: socket.socket
        self._task: asyncio.Task[None]

    def waits(self) -> bool:
        """It has no request under way."""
        return True

    def drop(self) -> None:
        """Close it at once."""
        self._task.cancel()
        if not self._began:  # a task that never ran closes nothing
            self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was accepted. The plain transport must read nothing of what TLS will read: it ends before it reads.

        The connection itself lives on by another descriptor: closing one of two is no shutdown.
        """
        plain = cast("asyncio.Transport", transport)
        try:
            self._socket = socket.socket(fileno=os.dup(plain.get_extra_info("socket").fileno()))
        except OSError:  # no file is left for it
            return
        finally:
            plain.abort()
        self._task = asyncio.get_running_loop().create_task(self._shake())
        self._connections.opened(self)

    async def _shake(self) -> None:
        self._began = True
        bounds = self._connections.bounds
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._through,
                self._socket,
                ssl=self._context,
                ssl_handshake_timeout=bounds.head_s,
                ssl_shutdown_timeout=bounds.linger_s,
            )
        except OSError:
            return  # it spoke no TLS, took too long, or went: there is nobody to be told
        finally:
            self._leave()

    def _through(self) -> asyncio.Protocol:
        return Through(self._make(), self._leave)

    def _leave(self) -> None:
        self._connections.closed(self)


class Through(asyncio.Protocol):
    """A connection that is through: its handshake's place is free just before it takes one, so that it never has two."""

    def __init__(self, inner: asyncio.Protocol, leave: Callable[[], None]) -> None:
        self._inner = inner
        self._leave = leave

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give place."""
        self._leave()
        transport.set_protocol(self._inner)
        self._inner.connection_made(transport)
