"""Sinks of the trail: a file that others turn over, and a real syslog server over TLS."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.real.conftest import free_port, wait_until
from tests.syslog_server import SyslogServer
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.runtime.settings import FileForward, ForwardForm, SyslogForward, TlsPair
from workers.adapters.sinks import FileSink, SyslogSink, sink_of
from workers.errors import Unavailable


def stored(seq: int, account: str = "zoe") -> Stored:
    """A record."""
    record = AuditRecord(
        kind=RecordKind.EVENT, recorded_at=1_795_477_894_000 + seq, action="push", personal=Personal(account=account)
    )
    return Stored(seq, record, b"s")


def numbers(file: Path) -> list[int]:
    """Those of the records in a file, whose every line is whole."""
    return [json.loads(line)["seq"] for line in file.read_text().splitlines()]


class TestFile:
    """The trail in a file."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """Where it is."""
        return tmp_path / "audit.jsonl"

    @pytest.fixture
    def sink(self, file: Path) -> FileSink:
        """What writes it."""
        sink = sink_of(FileForward("file", file, ForwardForm.JSONL, 1))
        assert isinstance(sink, FileSink)
        return sink

    def test_it_grows(self, sink: FileSink, file: Path) -> None:
        """A line each, in their order, for nobody else to read."""
        sink.hand_over([stored(0), stored(1)])
        sink.hand_over([stored(2)])
        assert numbers(file) == [0, 1, 2]
        assert file.stat().st_mode & 0o777 == 0o600

    def test_it_was_taken_away(self, sink: FileSink, file: Path) -> None:
        """As logrotate does: there is a new one, and the old one is left alone."""
        sink.hand_over([stored(0)])
        file.rename(file.with_suffix(".1"))
        sink.hand_over([stored(1)])
        assert (numbers(file.with_suffix(".1")), numbers(file)) == ([0], [1])

    def test_a_line_that_was_cut_off(self, sink: FileSink, file: Path) -> None:
        """By a crash: what follows begins a line of its own."""
        file.write_text('{"seq":0}\n{"seq":1,"rec')
        sink.hand_over([stored(1)])
        lines = file.read_text().splitlines()
        assert lines[1] == '{"seq":1,"rec'
        assert json.loads(lines[2])["seq"] == 1

    def test_where_it_cannot_be(self, tmp_path: Path) -> None:
        """It is said which file and why; another's link is not followed."""
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        for name in ("no/such/folder", "link"):
            with pytest.raises(Unavailable, match=name):
                FileSink(FileForward("file", tmp_path / name, ForwardForm.JSONL, 1)).hand_over([stored(0)])
        assert not (tmp_path / "elsewhere").exists()

    def test_the_disk_is_full(self) -> None:
        """What was not written is told."""
        with pytest.raises(Unavailable, match="No space"):
            FileSink(FileForward("file", Path("/dev/full"), ForwardForm.JSONL, 1)).hand_over([stored(0)])

    @pytest.mark.parametrize(("form", "key"), [(ForwardForm.CLOUDEVENTS, "specversion"), (ForwardForm.OCSF, "class_uid")])
    def test_its_format(self, file: Path, form: ForwardForm, key: str) -> None:
        """As configured."""
        FileSink(FileForward("file", file, form, 1)).hand_over([stored(0)])
        assert key in json.loads(file.read_text())


def pair(folder: Path, name: str) -> TlsPair:
    """A self-signed pair for loopback."""
    key, made = folder / f"{name}.key", folder / f"{name}.crt"
    key.write_bytes(new_key())
    made.write_bytes(new_certificate(key.read_bytes(), ["127.0.0.1"], now=datetime.now(UTC)))
    return TlsPair(made, key)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsPair, TlsPair]:
    """A syslog server's, and ours."""
    folder = tmp_path_factory.mktemp("pairs")
    return pair(folder, "server"), pair(folder, "ours")


class TestSyslog:
    """The trail to a syslog server."""

    @pytest.fixture
    def server(self, pairs: tuple[TlsPair, TlsPair]) -> Iterator[SyslogServer]:
        """It listens."""
        server = SyslogServer(pairs[0].certificate, pairs[0].key)
        server.start()
        yield server
        server.stop()

    @contextmanager
    def sink(self, server: SyslogServer, *, ca_file: Path | None, mine: TlsPair | None = None) -> Iterator[SyslogSink]:
        """What sends to it."""
        sink = sink_of(SyslogForward("siem", "127.0.0.1", server.port, ForwardForm.JSONL, ca_file, mine, 1))
        assert isinstance(sink, SyslogSink)
        yield sink
        sink.close()

    def test_a_message_each(self, server: SyslogServer) -> None:
        """Over one connection; what a line holds is theirs as it is ours."""
        with self.sink(server, ca_file=server.certificate) as sink:
            sink.hand_over([stored(0), stored(1, "zoë\n")])
            sink.hand_over([stored(2)])
            wait_until("three messages", lambda: len(server.messages) == 3)
            assert [one["seq"] for one in server.records()] == [0, 1, 2]
            assert server.records()[1]["attribution"]["account"] == "zoë\n"
            assert len(server.connections) == 1

    def test_a_server_that_hung_up(self, server: SyslogServer) -> None:
        """It is noticed before anything is sent into the void, and asked anew."""
        with self.sink(server, ca_file=server.certificate) as sink:
            sink.hand_over([stored(0)])
            wait_until("the message", lambda: server.messages)
            server.hang_up()
            sink.hand_over([stored(1)])
            wait_until("the next", lambda: len(server.messages) == 2)

    def test_a_server_that_is_not_there(self, server: SyslogServer) -> None:
        """It is said, and the next time it is tried again."""
        server.stop()
        with self.sink(server, ca_file=server.certificate) as sink:
            with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}"):
                sink.hand_over([stored(0)])
            server.start()
            sink.hand_over([stored(0)])
            wait_until("the message", lambda: server.messages)

    def test_a_server_nobody_vouches_for(self, server: SyslogServer, pairs: tuple[TlsPair, TlsPair]) -> None:
        """It gets nothing."""
        for ca_file in (None, pairs[1].certificate):
            with self.sink(server, ca_file=ca_file) as sink, pytest.raises(Unavailable, match="ca_file"):
                sink.hand_over([stored(0)])
        assert not server.messages

    def test_a_server_that_wants_to_know_us(self, pairs: tuple[TlsPair, TlsPair]) -> None:
        """With our certificate it takes what we send."""
        server = SyslogServer(pairs[0].certificate, pairs[0].key, client_ca=pairs[1].certificate)
        server.start()
        try:
            with self.sink(server, ca_file=server.certificate, mine=pairs[1]) as sink:
                sink.hand_over([stored(0)])
                wait_until("the message", lambda: server.messages)
        finally:
            server.stop()

    def test_nothing_goes_to_standard_output(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Whatever fails."""
        sink = SyslogSink(SyslogForward("siem", "127.0.0.1", free_port(), ForwardForm.JSONL, None, None, 1))
        with pytest.raises(Unavailable):
            sink.hand_over([stored(0)])
        os.write(1, b"")
        assert capfd.readouterr() == ("", "")
