"""The notifier on raw bytes: no event is taken but as it was sent, and none twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from notifier.adapters.spill import SpillFolder
from notifier.endpoints import Endpoints
from notifier.ingest import Ingest
from notifier.metrics import TABLE
from tests.raw_http import NONE, ROWS, Row, Served, pieces, serving, statuses
from wharfinger.runtime.connections import Bounds
from wharfinger.runtime.log import discard
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import Secret, Source
from wharfinger.wire.notification import StoredNotification, decompress, from_fields, to_fields

METER = Board(TABLE).meter()
SOURCE = Source("main", (Secret(b"a secret of sixteen"),), "http://registry:5000", "registry:5000", "", None)
LINE = b"POST /events"
SECRET = b"Authorization: Bearer a secret of sixteen\r\n"
BODY, BEHIND = b'{"events":["first"]}', b'{"events":["behind"]}'
BEHIND_IT = LINE + b" HTTP/1.1\r\nHost: h\r\n" + SECRET + b"Content-Length: %d\r\n\r\n" % len(BEHIND) + BEHIND


@dataclass
class Kept:
    """``EventStream`` in memory."""

    bodies: list[bytes] = field(default_factory=list)

    async def append(self, stored: StoredNotification) -> None:
        """Keep one."""
        self.bodies.append(decompress(from_fields({k.encode(): v for k, v in to_fields(stored).items()}).compressed))


@pytest.fixture
def kept() -> Kept:
    """What was taken."""
    return Kept()


@pytest.fixture
async def served(kept: Kept, tmp_path: Path) -> AsyncIterator[Served]:
    """The notifier, served."""
    async with serve(kept, tmp_path) as one:
        yield one


@asynccontextmanager
async def serve(kept: Kept, folder: Path, body_timeout_s: float = 3_600) -> AsyncIterator[Served]:
    """One."""
    ingest = Ingest(stream=kept, spill=SpillFolder(folder / "spill", 1_000_000), clock=lambda: 1_795_477_894_000)
    app = web.Application()
    app.add_routes(Endpoints(ingest, [SOURCE], pings={}, meter=METER, log=discard, body_timeout_s=body_timeout_s).routes())
    async with serving(app, Bounds(linger_s=0.2)) as one:
        yield one


# It answers 202, and never reads on behind an answer that is none.
ANSWERS = {200: 202}


@pytest.mark.parametrize("how", ["whole", "head and body", "bit by bit"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_where_a_request_ends(served: Served, kept: Kept, row: Row, how: str) -> None:
    """Another event right behind the first: it is taken as itself, or not at all, and then its registry sends it again."""
    outcome = row.outcome if how == "whole" else row.apart
    first = row.request(LINE, SECRET, BODY)
    peer = await served.exchange(*pieces(first + BEHIND_IT, how), answers=len(outcome.answers))
    assert kept.bodies == [[BODY, BEHIND][one] for one in outcome.taken]
    expected = [ANSWERS.get(status, status) for status in outcome.answers]
    assert statuses(peer.got) == expected or (how != "whole" and outcome == NONE and not peer.got)


async def test_a_body_that_ends_early(served: Served, kept: Kept) -> None:
    """The registry is gone: nothing is taken of it, and it sends it again."""
    peer = await served.connect()
    await peer.send(LINE + b" HTTP/1.1\r\nHost: h\r\n" + SECRET + b"Content-Length: 500\r\n\r\n" + BODY)
    peer.end()
    assert await peer.closed() in ([], [503])
    await served.idle()
    assert kept.bodies == []


async def test_a_body_that_trickles(kept: Kept, tmp_path: Path) -> None:
    """It has its time; then the registry is told to come again, and nothing is taken."""
    async with serve(kept, tmp_path, 0.05) as served:
        peer = await served.connect()
        await peer.send(LINE + b" HTTP/1.1\r\nHost: h\r\n" + SECRET + b"Content-Length: 500\r\n\r\n" + BODY)
        assert await peer.closed() == [503]
        assert kept.bodies == []


async def test_nothing_is_read_on_for_who_has_no_secret(served: Served, kept: Kept) -> None:
    """A stranger's large body: refused at once, and what is in it is no request."""
    peer = await served.connect()
    await peer.send(LINE + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n" + BEHIND_IT)
    assert await peer.closed() == [401]
    assert kept.bodies == []


async def test_100_continue(served: Served, kept: Kept) -> None:
    """A registry's client that waits to be told to go on."""
    peer = await served.connect()
    await peer.send(
        LINE + b" HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: %d\r\n" % len(BODY) + SECRET + b"\r\n"
    )
    assert await peer.answers(1) == [100]
    await peer.send(BODY)
    assert await peer.answers(2) == [100, 202]
    assert kept.bodies == [BODY]


async def test_a_content_type_that_is_no_text(served: Served, kept: Kept) -> None:
    """An event is never refused for what surrounds it."""
    peer = await served.connect()
    await peer.send(
        LINE + b" HTTP/1.1\r\nHost: h\r\nContent-Type: \xff\xfe\r\nContent-Length: %d\r\n" % len(BODY) + SECRET + b"\r\n" + BODY
    )
    assert await peer.answers(1) == [202]
    assert kept.bodies == [BODY]
