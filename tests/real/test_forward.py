"""The trail forwarded by the whole house: to a file and to a syslog server, through kills of the forwarder and of the server."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.real.conftest import House, build_house, kill9, wait_until
from tests.syslog_server import SyslogServer
from wharfinger.cli.audit.forwarded import EXIT_BEHIND, EXIT_DONE, command
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.cli.pusher import make_image

pytestmark = pytest.mark.real

FORWARD = """
forward:
  - {{name: siem, syslog: "127.0.0.1:{port}", ca_file: syslog.crt, format: ocsf}}
  - {{name: file, file: audit.jsonl}}
"""


@dataclass
class Forwarding:
    """A house that forwards, and to whom."""

    house: House
    server: SyslogServer

    def size(self) -> int:
        """Records of the trail."""
        return int(self.house.rows("SELECT size FROM tree")[0][0])

    def in_file(self) -> list[int]:
        """Numbers of the records in the file; a line that a kill cut off has none."""
        found: list[int] = []
        file = self.house.folder / "audit.jsonl"
        for line in file.read_text().splitlines() if file.exists() else ():
            try:
                found.append(int(json.loads(line)["seq"]))
            except ValueError:
                continue
        return found

    def at_server(self) -> list[int]:
        """Numbers of the records that the syslog server has."""
        return [int(one["metadata"]["uid"]) for one in self.server.records()]

    def is_whole(self) -> bool:
        """Whether both have all there is."""
        wanted = set(range(self.size()))
        return set(self.in_file()) == set(self.at_server()) == wanted


@pytest.fixture(scope="module")
def forwarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarding]:
    """Everything runs."""
    folder = tmp_path_factory.mktemp("forwarding")
    key = new_key()
    (folder / "syslog.key").write_bytes(key)
    (folder / "syslog.crt").write_bytes(new_certificate(key, ["127.0.0.1"], now=datetime.now(UTC)))
    server = SyslogServer(Path(folder / "syslog.crt"), Path(folder / "syslog.key"))
    server.start()
    house = build_house(folder, more=FORWARD.format(port=server.port))
    yield Forwarding(house, server)
    assert house.program.stop() == 0
    house.registry_program.stop()
    server.stop()


def test_nothing_is_left_out(forwarding: Forwarding) -> None:
    """Whoever is killed meanwhile: every record came to both, in its order but for what came again."""
    house = forwarding.house
    for round_ in range(4):
        if round_ % 2:
            # What it has received and not read is lost with it: syslog has no answer by which anybody could know.
            wait_until("all of it", forwarding.is_whole, 60)
            forwarding.server.stop()
        for number in range(5):
            house.pusher().push(make_image(f"{round_} {number}".encode()), "ubuntu", f"r{round_}-{number}")
        if round_ % 2:
            forwarding.server.start()
        else:
            kill9(house.children()["forward"])
    wait_until("all of it", forwarding.is_whole, 60)
    for got in (forwarding.in_file(), forwarding.at_server()):
        first = list(dict.fromkeys(got))
        assert first == sorted(first)
    assert forwarding.size() > 4 * 5


def test_how_far_it_came(forwarding: Forwarding) -> None:
    """It is told, and whether anything is left."""
    place = ["--data", str(forwarding.house.folder)]
    wait_until("all of it", lambda: CliRunner().invoke(command, place).exit_code == EXIT_DONE, 60)
    told = CliRunner().invoke(command, [*place, "--json"])
    size = forwarding.size()
    wait_until("the server's part", forwarding.is_whole, 60)
    assert json.loads(told.output) == [{"forward": name, "handed_over": size, "left": 0} for name in ("siem", "file")]
    forwarding.server.stop()
    forwarding.house.pusher().push(make_image(b"behind"), "ubuntu", "behind")
    wait_until("somebody behind", lambda: CliRunner().invoke(command, place).exit_code == EXIT_BEHIND)
    assert "siem" in CliRunner().invoke(command, place).output
    forwarding.server.start()
    wait_until("all of it", forwarding.is_whole, 60)
