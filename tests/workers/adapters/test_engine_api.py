"""The Engine's API against a peer that is no Engine: what it says neither fills the memory nor spoils what is written of it."""

import json
from collections.abc import Callable

import pytest

from tests.servers import Reply, answering
from workers.adapters.engine_api import MAX_PROGRESS, MAX_SAID, EngineApi
from workers.errors import BadInput, Unavailable

DIGEST = "sha256:" + "ab" * 32
Call = Callable[[EngineApi], object]


def asked(reply: Reply, call: Call) -> object:
    """What becomes of a call that is answered so."""
    with answering(lambda _: reply) as peer:
        return call(EngineApi(peer.url.replace("http", "tcp"), lambda: None))


def pull(engine: EngineApi) -> None:
    """Pull by digest."""
    engine.pull("registry/shop/cart", DIGEST, None)


def test_progress() -> None:
    """Line by line, also when the last one has no end."""
    asked(Reply(body=b'{"status":"Pulling"}\r\n{"status":"Done"}'), pull)


def test_progress_without_end() -> None:
    """A line is not collected for as long as a pull may take."""
    with pytest.raises(Unavailable, match="cannot be read"):
        asked(Reply(body=b" " * MAX_PROGRESS * 2), pull)


@pytest.mark.parametrize(
    ("reply", "call"),
    [
        (Reply(409, body=json.dumps({"message": "\ud800\x00" + "x" * 1_000}).encode()), lambda engine: engine.start("1")),
        (Reply(404, body=json.dumps({"message": "no such image \ud800\x00" + "x" * 1_000}).encode()), pull),
    ],
    ids=["start", "pull"],
)
def test_what_it_says_can_be_written(reply: Reply, call: Call) -> None:
    """As a delivery's reason: short, and letters only that every ledger holds."""
    with pytest.raises((BadInput, Unavailable)) as caught:
        asked(reply, call)
    said = str(caught.value)
    assert "x" in said
    assert "\x00" not in said
    assert len(said.encode()) < 2 * MAX_SAID
