"""`audit checkpoint`: signs what is new, prints it, and puts it where it is to be kept."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.outside import open_checkpoint
from tests.real.conftest import free_port
from tests.wharfinger.cli.audit.conftest import Run
from tests.wharfinger.ledger import logs
from wharfinger.cli.audit.checkpoint import append_once
from wharfinger.cli.generate import new_log_key
from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import parse_kept
from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import commit


def more(database: Database) -> None:
    """One record more."""
    commit(database, [logs.event(logs.size_of(database))], now_ms=logs.NOW)


def test_it_prints_a_note_that_others_verify(run: Run, vkey: str) -> None:
    """Standard output is the note and nothing else; the same again while there is no news."""
    first, again = run("checkpoint"), run("checkpoint")
    assert (first.exit_code, again.stdout) == (0, first.stdout)
    opened = open_checkpoint(first.stdout, vkey)
    assert opened.size == 10


def test_as_json(run: Run, vkey: str) -> None:
    """The note, its parts, and the key to verify it with."""
    told = json.loads(run("checkpoint", "--json").stdout)
    assert (told["size"], told["vkeys"], told["cosigned"]) == (10, [vkey], {})
    assert open_checkpoint(told["note"], vkey).root.hex() == told["root"]


def test_to_a_file(run: Run, database: Database, folder: Path) -> None:
    """Each new checkpoint is appended, once: what was kept before stays, byte for byte."""
    kept = folder / "kept"
    first = run("checkpoint", "--to", kept).stdout
    run("checkpoint", "--to", kept)
    assert kept.read_text() == first
    more(database)
    second = run("checkpoint", "--to", kept).stdout
    assert kept.read_text() == f"{first}\n{second}"
    assert [one.checkpoint.size for one in parse_kept(kept.read_bytes())] == [10, 11]


@pytest.mark.usefixtures("database")
def test_to_a_file_that_cannot_be_written(run: Run, folder: Path) -> None:
    """The checkpoint is made, and it is said that it is not kept there."""
    result = run("checkpoint", "--to", folder / "nowhere/kept")
    assert result.exit_code == 3
    assert "is in the ledger, but not at" in result.stderr


@pytest.fixture
def received() -> list[bytes]:
    """What a receiver was sent."""
    return []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("status", "code"), [(204, 0), (500, 3), (302, 3)])
def test_to_a_url(run: Run, received: list[bytes], status: int, code: int) -> None:
    """Posted as it is printed; anything but a 2xx is a failure that is told."""

    class Receiver(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """Take it."""
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    result = run("checkpoint", "--to", f"http://127.0.0.1:{server.server_port}/keep?of=audit")
    thread.join()
    server.server_close()
    assert result.exit_code == code
    assert received == [run("checkpoint").stdout.encode()]


@pytest.mark.usefixtures("database")
def test_to_a_url_where_nobody_is(run: Run) -> None:
    """Unavailable."""
    assert run("checkpoint", "--to", f"http://127.0.0.1:{free_port()}/keep").exit_code == 3


def test_an_empty_log(run: Run, folder: Path) -> None:
    """There is nothing to sign yet."""
    Database(f"sqlite:///{folder}/ledger.db").close()
    result = run("checkpoint")
    assert (result.exit_code, "is empty" in result.stderr) == (1, True)


def test_no_ledger(run: Run) -> None:
    """Looking for it does not make one."""
    assert run("checkpoint").exit_code == 3


def test_a_log_that_was_changed(run: Run, database: Database) -> None:
    """Nothing is signed or printed; it is said what to do."""
    run("checkpoint")
    more(database)
    logs.rewrite(database, schema.tiles.c.hashes, logs.swapped)
    result = run("checkpoint")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "wharfinger audit verify" in result.stderr


def test_a_note_that_was_changed(run: Run, database: Database) -> None:
    """The same."""
    run("checkpoint")
    logs.rewrite(database, schema.checkpoints.c.note, lambda _note: "x")
    result = run("checkpoint")
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_lost_key(run: Run, database: Database, folder: Path) -> None:
    """Gone: a fault that says what to do. Made anew over a signed log: the same. With the former key named: it goes on."""
    vkey = run("checkpoint", "--vkey").stdout.strip()
    run("checkpoint")
    (folder / "log.key").unlink()
    assert run("checkpoint").exit_code == 2
    (folder / "log.key").write_bytes(new_log_key())
    result = run("checkpoint")
    assert (result.exit_code, "ledger.former_vkeys" in result.stderr) == (2, True)
    config = folder / "wharfinger.yml"
    config.write_text(config.read_text() + f"\nledger:\n  former_vkeys: ['{vkey}']\n")
    assert run("checkpoint").exit_code == 0
    more(database)
    assert run("checkpoint").exit_code == 0
    assert run("verify").exit_code == 0


@pytest.mark.usefixtures("database")
def test_a_key_that_is_gone_says_what_to_do(run: Run, folder: Path) -> None:
    """Where it was, and the page that tells how to get it back."""
    former = run("checkpoint", "--vkey").stdout.strip()
    (folder / "log.key").unlink()
    config = folder / "wharfinger.yml"
    config.write_text(config.read_text() + f"\nledger:\n  former_vkeys: ['{former}']\n")
    result = run("checkpoint")
    assert (result.exit_code, "docs/audit.md" in result.stderr) == (2, True)


def test_appending_to_a_file_without_an_end(tmp_path: Path) -> None:
    """Whatever stands there stays; the note comes after it."""
    file = tmp_path / "kept"
    file.write_bytes(b"a note\n")
    append_once(b"another\n", file)
    append_once(b"another\n", file)
    assert file.read_bytes() == b"a note\n\nanother\n"
