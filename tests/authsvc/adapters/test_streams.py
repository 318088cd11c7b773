"""The ports IssuanceStream and RefusalStream: their suites on the fakes and on Redis, and what a batch of writes keeps to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import redis.asyncio

from authsvc.adapters.streams import BATCH, Batches, RedisIssuances, RedisRefusals, Write, connect, issuance_write, packed
from authsvc.errors import Unavailable
from authsvc.metrics import STORE_BATCHES, STORE_RECORDS, STORE_SECONDS
from authsvc.ports import IssuanceStream, RefusalStream
from tests.authsvc.fakes import KeptIssuances, KeptRefusals
from tests.stores import STORES, Store, entries
from wharfinger.runtime.metrics import Board
from wharfinger.wire import keys
from wharfinger.wire.codec import RECORD_FIELD, decode, encode
from wharfinger.wire.issuance import Credential, Issuance, Refusal, issuance_from_fields, refusal_from_fields
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope

T = TypeVar("T")
SERVERS = STORES[1:]
IMPLEMENTATIONS = (pytest.param("fake"), *STORES)
ODD_TEXT = 'zoë ☃ \x00 \x1b[31m\n"quoted" ' + "x" * 200


def issuance(number: int = 0, *, user_agent: str = "docker/28") -> Issuance:
    """A token's record."""
    return Issuance(
        jti=Jti(f"{number:026}"),
        account=Account("zoe"),
        credential=Credential(kind="static", id="c1"),
        authenticated_by="basic",
        client_addr="10.0.0.7",
        user_agent=user_agent,
        asked=(Scope("repository", "shop/cart", ("pull",)), Scope("registry", "catalog", ("*",))),
        granted=(Scope("repository", "shop/cart", ("pull",)),),
        rules=(1, None),
        issued_at=1_795_477_894,
        not_before=1_795_477_884,
        expires_at=1_795_478_794,
    )


def refusal(number: int = 0, *, user_agent: str = "docker/28") -> Refusal:
    """A refusal's record."""
    return Refusal(id=f"ref_{number}", reason="wrong_password", account=Account("zoe"), user_agent=user_agent, since=1, until=1)


def batches_of(client: redis.asyncio.Redis) -> Batches:
    """Writes over a client, counted for nobody."""
    return Batches(client, Board((STORE_BATCHES, STORE_RECORDS, STORE_SECONDS)).meter())


@dataclass
class Issuances:
    """An implementation, what it has recorded in order, and the same with nobody there."""

    port: IssuanceStream
    recorded: Callable[[], Awaitable[list[Issuance]]]
    gone: IssuanceStream


@dataclass
class Refusals:
    """The same of the other port."""

    port: RefusalStream
    recorded: Callable[[], Awaitable[list[Refusal]]]
    gone: RefusalStream


@pytest.fixture(params=IMPLEMENTATIONS)
async def issuances(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> AsyncIterator[Issuances]:
    """Each implementation."""
    if request.param == "fake":
        fake = KeptIssuances()
        yield Issuances(fake, _list_of(fake.recorded), KeptIssuances(gone=True))
        return
    store = store_of(request.param)
    client, nobody = store.loop_client(), store.gone().loop_client()

    async def recorded() -> list[Issuance]:
        return [issuance_from_fields(fields) for fields in await entries(client, keys.ISSUANCES)]

    yield Issuances(RedisIssuances(batches_of(client)), recorded, RedisIssuances(batches_of(nobody)))
    await client.aclose()
    await nobody.aclose()


@pytest.fixture(params=IMPLEMENTATIONS)
async def refusals(request: pytest.FixtureRequest, store_of: Callable[[str], Store]) -> AsyncIterator[Refusals]:
    """Each implementation."""
    if request.param == "fake":
        fake = KeptRefusals()
        yield Refusals(fake, _list_of(fake.recorded), KeptRefusals(gone=True))
        return
    store = store_of(request.param)
    client, nobody = store.loop_client(), store.gone().loop_client()

    async def recorded() -> list[Refusal]:
        return [refusal_from_fields(fields) for fields in await entries(client, keys.REFUSALS)]

    yield Refusals(RedisRefusals(batches_of(client)), recorded, RedisRefusals(batches_of(nobody)))
    await client.aclose()
    await nobody.aclose()


def _list_of(kept: list[T]) -> Callable[[], Awaitable[list[T]]]:
    async def recorded() -> list[T]:
        return list(kept)

    return recorded


@pytest.mark.parametrize("user_agent", ["docker/28", "", ODD_TEXT])
async def test_an_issuance_is_read_back_whole(issuances: Issuances, user_agent: str) -> None:
    """Every field, whatever a client wrote into its own."""
    await issuances.port.record(issuance(user_agent=user_agent))
    assert await issuances.recorded() == [issuance(user_agent=user_agent)]


@pytest.mark.parametrize("user_agent", ["docker/28", "", ODD_TEXT])
async def test_a_refusal_is_read_back_whole(refusals: Refusals, user_agent: str) -> None:
    """The same."""
    await refusals.port.record(refusal(user_agent=user_agent))
    assert await refusals.recorded() == [refusal(user_agent=user_agent)]


async def test_issuances_keep_their_order(issuances: Issuances) -> None:
    """One after the other, and many at once: each is there when its call returns, and none twice."""
    for number in range(3):
        await issuances.port.record(issuance(number))
    await asyncio.gather(*(issuances.port.record(issuance(number)) for number in range(3, 2 * BATCH + 50)))
    assert await issuances.recorded() == [issuance(number) for number in range(2 * BATCH + 50)]


async def test_refusals_keep_their_order(refusals: Refusals) -> None:
    """The same."""
    await asyncio.gather(*(refusals.port.record(refusal(number)) for number in range(BATCH + 5)))
    assert await refusals.recorded() == [refusal(number) for number in range(BATCH + 5)]


async def test_nobody_takes_an_issuance(issuances: Issuances) -> None:
    """Each of those that wait is told so."""
    found = await asyncio.gather(*(issuances.gone.record(issuance(number)) for number in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable] * 3


async def test_nobody_takes_a_refusal(refusals: Refusals) -> None:
    """The same."""
    with pytest.raises(Unavailable):
        await refusals.gone.record(refusal())


async def test_the_record_has_a_key_of_its_own(store: Store) -> None:
    """Settle finds a token by its id for a day after it expired."""
    client = store.loop_client()
    await RedisIssuances(batches_of(client)).record(issuance())
    value = await client.get(keys.issuance(issuance().jti))
    (entry,) = await entries(client, keys.ISSUANCES)
    lifetime = await client.ttl(keys.issuance(issuance().jti))
    assert isinstance(value, bytes)
    assert decode(Issuance, value) == issuance()
    assert entry == {RECORD_FIELD.encode(): value}
    assert keys.ISSUANCE_KEEP_S < lifetime <= keys.ISSUANCE_KEEP_S + 900
    await client.aclose()


async def test_a_stream_that_cannot_be_written(store: Store) -> None:
    """The token must not leave, and the fault tells nothing of its record."""
    client = store.loop_client()
    await client.set(keys.ISSUANCES, b"not a stream")
    with pytest.raises(Unavailable) as raised:
        await RedisIssuances(batches_of(client)).record(issuance())
    assert "zoe" not in str(raised.value)
    await client.aclose()


async def test_a_request_that_is_given_up(store: Store) -> None:
    """Its record is written all the same, and the others are not told of it."""
    client = store.loop_client()
    port = RedisIssuances(batches_of(client))
    asked = [asyncio.create_task(port.record(issuance(number))) for number in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [
        type(None), asyncio.CancelledError, type(None),
    ]  # fmt: skip
    assert await client.xlen(keys.ISSUANCES) == 3
    await client.aclose()


async def test_closing_waits_for_what_is_under_way(store: Store) -> None:
    """Redis is let go after the last record, and closing nothing is nothing."""
    client = store.loop_client()
    batches = batches_of(client)
    await batches.close()
    asked = [asyncio.create_task(RedisIssuances(batches).record(issuance(number))) for number in range(BATCH + 1)]
    await asyncio.sleep(0)
    await batches.close()
    assert await client.xlen(keys.ISSUANCES) == BATCH + 1
    await asyncio.gather(*asked)
    await client.aclose()


async def test_it_goes_on_after_a_fault(store: Store) -> None:
    """One batch that was not taken is no end."""
    client = store.loop_client()
    port = RedisIssuances(batches_of(client))
    await client.set(keys.ISSUANCES, b"not a stream")
    with pytest.raises(Unavailable):
        await port.record(issuance())
    await client.delete(keys.ISSUANCES)
    await port.record(issuance())
    assert await client.xlen(keys.ISSUANCES) == 1
    await client.aclose()


@pytest.mark.parametrize("parts", [(b"PING",), (b"SET", b"", b"\x00\r\n$1\r\n"), (b"XADD", b"k" * 5_000, b"*")])
def test_commands_as_redis_py_writes_them(parts: tuple[bytes, ...]) -> None:
    """Byte for byte, whatever a value holds: no value can end a command and begin another."""
    theirs = b"".join(redis.asyncio.Connection().pack_command(*parts))
    assert packed(*parts) == theirs


@pytest.mark.parametrize("store", SERVERS, indirect=True)
async def test_a_connection_that_broke(store: Store) -> None:
    """Redis was restarted, or an idle connection was closed: the batch is sent once more, on a new one."""
    client = store.loop_client()
    recording = connect(store.url, waits=True)
    port = RedisIssuances(batches_of(recording))
    await port.record(issuance(0))
    assert await client.client_kill_filter(_type="normal", skipme=True) == 1
    await port.record(issuance(1))
    assert await client.xlen(keys.ISSUANCES) == 2
    await recording.aclose()
    await client.aclose()


async def test_the_replies_of_a_refused_batch_are_all_read(store: Store) -> None:
    """Else the next batch would take this one's for its own: a wrong type fails one command, the others stand."""
    client = store.loop_client()
    batches = batches_of(client)
    await client.set("taken", b"no stream")
    write = issuance_write(issuance(0), encode(issuance(0)))
    wrong = Write(packed(b"XADD", b"taken", b"*", b"a", b"b"), 1)
    for _ in range(3):
        with pytest.raises(Unavailable, match="ResponseError"):
            await batches.together([write, wrong, write])
        await batches.together([write])
    assert await client.xlen(keys.ISSUANCES) == 9
    await client.aclose()


@pytest.mark.parametrize("store", SERVERS, indirect=True)
async def test_a_command_that_cannot_be_queued(store: Store) -> None:
    """Redis drops the whole batch then; so nothing of it is told to be written."""
    client = store.loop_client()
    batches = batches_of(client)
    write = issuance_write(issuance(0), encode(issuance(0)))
    with pytest.raises(Unavailable):
        await batches.together([write, Write(packed(b"XADD", b"too few"), 1)])
    await batches.together([write])
    assert await client.xlen(keys.ISSUANCES) == 1
    await client.aclose()


QUEUED = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n"
WRITTEN = QUEUED + b"*2\r\n$3\r\n1-1\r\n+OK\r\n"
REPLIES = {
    "no results": QUEUED + b"*-1\r\n",
    "fewer results": QUEUED + b"*1\r\n$3\r\n1-1\r\n",
    "none of them": QUEUED + b"*0\r\n",
    "more results": QUEUED + b"*3\r\n$3\r\n1-1\r\n+OK\r\n+OK\r\n",
    "one that failed": QUEUED + b"*2\r\n$3\r\n1-1\r\n-WRONGTYPE x\r\n",
    "one of the batch before": b"+OK\r\n" + WRITTEN,
    "a replica": b"+OK\r\n" + b"-READONLY x\r\n" * 2 + b"-EXECABORT x\r\n",
    "no memory": b"+OK\r\n" + b"-OOM x\r\n" * 2 + b"-EXECABORT x\r\n",
    "a start": b"-LOADING x\r\n" * 4,
    "no password": b"-NOAUTH x\r\n" * 4,
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no number": b"$x\r\n" * 4,
    "its end": QUEUED,
}


async def speak(replies: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A Redis that says what it is told to of a batch, closes after a short one, and is glad of all else."""
    with contextlib.closing(writer):
        while data := await reader.read(65_536):
            if b"MULTI" not in data:
                writer.write(b"+OK\r\n" * data.count(b"CLIENT"))
                continue
            writer.write(reply := replies.pop(0) if replies else WRITTEN)
            if reply == QUEUED:
                return


@pytest.mark.parametrize("name", REPLIES)
async def test_replies_that_do_not_say_so(tmp_path: Path, name: str) -> None:
    """Nothing is recorded but what every reply says, and none of them is taken for one to the next batch."""
    # Where the connection broke, or Redis is about to be there, the batch is sent once more.
    replies = [REPLIES[name]] * 2
    server = await asyncio.start_unix_server(partial(speak, replies), tmp_path / "redis")
    client = connect(f"unix://{tmp_path}/redis?protocol=2", waits=True)
    port = RedisIssuances(batches_of(client))
    while replies:
        with pytest.raises(Unavailable):
            await port.record(issuance())
    await port.record(issuance())
    await client.aclose()
    server.close()
    await server.wait_closed()


async def test_a_master_no_more(tmp_path: Path) -> None:
    """Its connection is let go: who has taken over is found by the same name, as soon as it leads there."""
    old = await asyncio.start_unix_server(partial(speak, [REPLIES["a replica"]] * 9), tmp_path / "old")
    new = await asyncio.start_unix_server(partial(speak, []), tmp_path / "new")
    (tmp_path / "redis").symlink_to("old")
    client = connect(f"unix://{tmp_path}/redis?protocol=2", waits=True)
    port = RedisIssuances(batches_of(client))
    with pytest.raises(Unavailable):
        await port.record(issuance())
    (tmp_path / "redis").unlink()
    (tmp_path / "redis").symlink_to("new")
    await port.record(issuance())
    await client.aclose()
    for server in (old, new):
        server.close()
        await server.wait_closed()
