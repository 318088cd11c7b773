"""`audit erase` and `audit prune` on the whole house: nothing of the person is left in ledger, Redis or logs of records."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.real.conftest import House, wait_until
from wharfinger.cli.pusher import make_image
from wharfinger.wire import keys

pytestmark = pytest.mark.real


def command(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on a house's data."""
    whole = [sys.executable, "-m", "wharfinger.cli.main", "--data", str(house.folder), *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)


def test_an_account_is_erased_everywhere(house: House) -> None:
    """After a real push of hers: the ledger's files, what the store was told, and its streams do not hold her name any more."""
    house.pusher("admin").push(make_image(os.urandom(32)), "ubuntu", "hers")
    house.traced("ubuntu:hers", lambda one: one.deliveries and one.deliveries[0].state == "delivered")
    with redis.Redis(unix_socket_path=f"{house.folder}/store/valkey.sock") as client:
        wait_until("settling", lambda: all(group["pending"] == 0 for group in client.xinfo_groups(keys.EVENTS)))
        erased = command(house, "audit", "erase", "--account", "admin", "--yes", "--json")
        assert erased.returncode == 0, erased.stderr
        told = json.loads(erased.stdout)
        assert told["records"] >= 4
        assert told["redis_entries"] >= 2
        kept = [fields for stream in keys.STREAMS for _, fields in client.xrange(stream)]
    assert b'"admin' not in repr(kept).encode()
    files = [house.folder / name for name in ("ledger.db", "ledger.db-wal") if (house.folder / name).exists()]
    # What the store was told to write. Blocks of streams in its other file keep what was removed until they are trimmed.
    files += (house.folder / "store").rglob("*.incr.aof")
    assert not [file for file in files if b"admin" in Path(file).read_bytes()]
    nobody = command(house, "audit", "erase", "--account", "nobody-at-all")
    assert (nobody.returncode, nobody.stdout, nobody.stderr) == (1, "", "nothing is known of nobody-at-all\n")
    found = house.trace("ubuntu:hers")
    assert [event.attribution.account for event in found.events if event.action == "push"] == [""]


def test_prune_tells_what_would_go(house: House) -> None:
    """Without rules nothing; the dry run removes nothing."""
    kept = command(house, "audit", "prune", "--dry-run", "--json")
    assert (kept.returncode, json.loads(kept.stdout)) == (0, {})
    assert "everything is kept" in kept.stderr
