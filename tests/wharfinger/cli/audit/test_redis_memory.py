"""What Redis still holds of an account: what settle is done with goes, the rest stays; others keep theirs."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import redis
from msgspec import structs

from tests.stores import Store, entries_now
from tests.workers.adapters.test_streams import issued, posted, refused
from wharfinger.cli.audit.redis_memory import forget, forget_on_disk
from wharfinger.wire import issuance, keys, notification
from wharfinger.wire.codec import encode
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import StoredNotification, compress
from workers.adapters.streams import RedisStreams

ZOES, ANOTHER, YANS = issued(1), issued(2), structs.replace(issued(3), account=Account("yan"))


def event(number: int, actor: str) -> StoredNotification:
    """A notification that names somebody."""
    return StoredNotification(posted(number).notification, compress(b'{"actor": {"name": "%s"}}' % actor.encode()))


@pytest.fixture
def client(store: Store) -> redis.Redis:
    """A store with tokens, a refusal and events of zoe's and yan's."""
    found = store.client()
    for one in (ZOES, ANOTHER, YANS):
        found.set(keys.issuance(one.jti), encode(one))
        found.xadd(keys.ISSUANCES, issuance.to_fields(one))  # type: ignore[arg-type]  # bytes are encodable
    found.xadd(keys.REFUSALS, issuance.to_fields(refused()))  # type: ignore[arg-type]  # bytes are encodable
    for number, actor in enumerate(("zoe#x", "yan#x", "zoes")):
        found.xadd(keys.EVENTS, notification.to_fields(event(number, actor)))  # type: ignore[arg-type]  # bytes are encodable
    return found


def settle(client: redis.Redis) -> None:
    """Read everything and be done with it."""
    streams = RedisStreams(client, consumer="settle")
    while batch := streams.next():
        streams.acknowledge(batch)


def tokens(client: redis.Redis) -> set[Jti]:
    """Whose record is there."""
    found = cast("list[bytes]", client.keys(keys.issuance(Jti("*"))))
    return {Jti(one.decode().rpartition(":")[2]) for one in found}


def test_what_settle_is_done_with(client: redis.Redis) -> None:
    """Entries and token records of hers, and nothing of anybody else."""
    settle(client)
    assert forget(client, "zoe", [ZOES.jti, ANOTHER.jti]) == 6
    assert tokens(client) == {YANS.jti}
    assert [len(entries_now(client, stream)) for stream in (keys.ISSUANCES, keys.REFUSALS, keys.EVENTS)] == [1, 0, 2]
    assert forget(client, "zoe", []) == 0


def test_an_erasure_that_goes_on(client: redis.Redis) -> None:
    """The ledger was done before Redis answered, and names no token any more: her token records go all the same."""
    settle(client)
    assert forget(client, "zoe", []) == 6
    assert tokens(client) == {YANS.jti}


def test_what_settle_has_not_read(client: redis.Redis) -> None:
    """It must reach the ledger first; nothing of it is lost."""
    assert forget(client, "zoe", []) == 0
    assert tokens(client) == {ZOES.jti, ANOTHER.jti, YANS.jti}
    settle(client)
    assert forget(client, "zoe", []) == 6


@pytest.mark.real
@pytest.mark.parametrize("name", ["redis", "valkey"])
def test_its_file_does_not_hold_it_either(store_of: Callable[[str], Store], name: str) -> None:
    """What was removed stands in the file of commands until that is written anew; also when one is being written already."""
    store = store_of(name)
    client = store.client()
    client.set("whose", "zoe was here")
    settings = cast("dict[str, str]", client.config_get("dir", "appenddirname"))
    folder = Path(settings["dir"]) / settings["appenddirname"]
    assert b"zoe was here" in written(folder)
    client.delete("whose")
    client.bgrewriteaof()
    assert forget_on_disk(client)
    assert b"zoe was here" not in written(folder)
    client.close()


@pytest.mark.real
def test_a_server_that_may_not_be_told(store_of: Callable[[str], Store]) -> None:
    """It says so, instead of vouching for what it does not know."""
    store = store_of("redis")
    client = store.client()
    client.acl_setuser("app", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-bgrewriteaof"])
    try:
        with redis.Redis.from_url(store.url, username="app", password="x") as told:
            assert not forget_on_disk(told)
    finally:
        client.acl_deluser("app")
        client.close()


def written(folder: Path) -> bytes:
    """All that a server wrote."""
    return b"".join(file.read_bytes() for file in folder.iterdir())
