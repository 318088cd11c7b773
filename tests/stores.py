"""Stores for tests of what speaks to Redis: in this process (fakeredis), Debian's redis-server, and the embedded Valkey.

The first needs no socket and runs with the unit tests; the others are real. A test that takes the fixture ``store`` runs on
each of them, empty.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fakeredis
import pytest
import redis
import redis.asyncio
from rq.job import Job
from rq.serializers import JSONSerializer

STORES = (
    pytest.param("fakeredis"),
    pytest.param("redis", marks=pytest.mark.real),
    pytest.param("valkey", marks=pytest.mark.real),
)
"""The implementations of the server side, for the fixture ``store``."""
WITH_SCRIPTS = STORES[1:]
"""Those that run Lua, which RQ's unique jobs need."""


@dataclass(frozen=True)
class Store:
    """One of them. ``url`` is empty for the one in this process."""

    name: str
    url: str = ""
    server: fakeredis.FakeServer | None = None

    def client(self) -> redis.Redis:
        """A client as the workers have."""
        if self.server is not None:
            return fakeredis.FakeRedis(server=self.server)
        return redis.Redis.from_url(self.url, socket_timeout=2)

    def loop_client(self) -> redis.asyncio.Redis:
        """A client as the services have."""
        if self.server is not None:
            return fakeredis.FakeAsyncRedis(server=self.server)
        return redis.asyncio.Redis.from_url(self.url, socket_timeout=2)

    def gone(self) -> "Store":
        """The same kind of store, with nobody there."""
        if self.server is not None:
            server = fakeredis.FakeServer()
            server.connected = False
            return Store(self.name, server=server)
        return Store(self.name, url=self.url + ".gone")


Fields = dict[bytes, bytes]


async def entries(client: redis.asyncio.Redis, stream: str) -> list[Fields]:
    """What a stream holds, oldest first, read as the services would."""
    return [fields for _, fields in cast("list[tuple[bytes, Fields]]", await client.xrange(stream))]


def entries_now(client: redis.Redis, stream: str) -> list[Fields]:
    """The same, read as the workers would."""
    return [fields for _, fields in cast("list[tuple[bytes, Fields]]", client.xrange(stream))]


def jobs_in(client: redis.Redis, queue: str) -> list[Job]:
    """The jobs of an RQ queue."""
    idents = cast("list[bytes]", client.lrange(f"rq:queue:{queue}", 0, -1))
    return [Job.fetch(ident.decode(), connection=client, serializer=JSONSerializer) for ident in idents]


def in_process() -> Store:
    """A new store in this process."""
    return Store("fakeredis", server=fakeredis.FakeServer())


def at_socket(name: str, socket: Path) -> Store:
    """A running server's store."""
    return Store(name, url=f"unix://{socket}")
