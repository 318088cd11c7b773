"""The whole house on PostgreSQL: a push is traced and delivered as on SQLite; moved there while it lives; backed up and restored."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import BINARIES, Server
from tests.real.conftest import House, build_house
from tests.wharfinger.ledger.logs import KEYS, NOW, event, fill, sign
from wharfinger.cli.pusher import make_image
from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.whole import verify_whole

pytestmark = pytest.mark.real


def test_a_push_is_traced_and_delivered(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the token to the webhook; the ledger is in PostgreSQL and nowhere else."""
    url = postgresql.new("house")
    house = build_house(tmp_path_factory.mktemp("postgresql"), more=f'\nledger: {{url: "{url}"}}\n')
    house.ledger_url = url
    try:
        image = make_image(os.urandom(32))
        house.pusher().push(image, "ubuntu", "v1")
        found = house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
        assert {event.attribution.verdict for event in found.events} == {"exact"}
        assert not (house.folder / "ledger.db").exists()
    finally:
        assert house.program.stop() == 0
        house.registry_program.stop()


def command(house: House, *arguments: object) -> dict[str, Any]:
    """What the command prints on a house's data, as JSON."""
    whole = [sys.executable, "-m", "wharfinger.cli.main", "--data", house.folder, *arguments, "--json"]
    done = subprocess.run([str(one) for one in whole], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_house_moves_to_postgresql(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Backed up while it runs, stopped, moved, started: the same root, the old push is found, a new one is traced in the same log."""
    house = build_house(tmp_path_factory.mktemp("moving"), more="\nledger: {checkpoint_every: 1s}\n")
    try:
        before, after = make_image(os.urandom(32)), make_image(os.urandom(32))
        house.pusher().push(before, "ubuntu", "v1")
        house.traced(before.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
        backup = command(house, "ledger", "backup", house.folder / "backup.db")
        assert backup["size"] > 5
        assert house.program.stop() == 0
        command(house, "audit", "checkpoint")
        old = command(house, "audit", "verify")
        url = postgresql.new("moved")
        config = house.folder / "wharfinger.yml"
        config.write_text(
            config.read_text().replace("checkpoint_every: 1s", f'checkpoint_every: 1s, url: "{url.replace("+psycopg", "")}"')
        )
        moved = command(house, "ledger", "move", "--from", house.folder / "ledger.db")
        new = command(house, "audit", "verify")
        assert moved == {"size": old["size"], "root": old["root"]} == {name: new[name] for name in ("size", "root")}
        assert new["proved"]
        house.ledger_url = url
        house.start()
        house.pusher().push(after, "ubuntu", "v2")
        found = house.traced(after.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
        assert {event.attribution.verdict for event in found.events} == {"exact"}
        assert house.trace(before.digest).events
        grown = command(house, "audit", "verify")
        assert grown["proved"]
        assert grown["size"] > old["size"]
    finally:
        house.program.stop()
        house.registry_program.stop()


def test_dumped_and_restored(postgresql: Server, tmp_path: Path) -> None:
    """By PostgreSQL's own programs, as docs/ledger.md says: the same log, proved, and it goes on."""
    url = postgresql.new("dumped")
    with closing(Database(url)) as ledger:
        fill(ledger, 300)
        signed = sign(ledger)
        dump = tmp_path / "ledger.dump"
        at = ["--host=127.0.0.1", f"--port={postgresql.port}", "--username=postgres"]
        subprocess.run([BINARIES / "pg_dump", *at, "--format=custom", f"--file={dump}", "dumped"], check=True, timeout=60)
        restored = postgresql.new("restored")
        subprocess.run([BINARIES / "pg_restore", *at, "--dbname=restored", dump], check=True, timeout=60)
        with closing(Database(restored)) as other:
            assert verify_whole(other, KEYS, kept=[Kept(signed, "a file")]).findings.kept == []
            commit(other, [event(300)], now_ms=NOW + 300)
            sign(other)
            assert verify_whole(other, KEYS).findings.kept == []
