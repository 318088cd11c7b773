"""``wharfinger serve`` and ``work`` beside a store that runs: one service or the workers alone, until they are told to stop."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.conftest import answers, free_port, spawn, wait_until
from wharfinger.cli import init
from wharfinger.cli.templates import Ports
from wharfinger.runtime import embedded

pytestmark = pytest.mark.real


@pytest.fixture
def data(tmp_path: Path) -> Iterator[tuple[Path, Ports]]:
    """A house with its store running."""
    ports = Ports(free_port(), free_port(), free_port())
    init.make(tmp_path, (), ports)
    store = embedded.start(tmp_path)
    yield tmp_path, ports
    store.stop()


@pytest.mark.parametrize("service", ["auth", "notifier"])
def test_one_service(data: tuple[Path, Ports], service: str) -> None:
    """It is ready when its store answers, and ends in order with exit code 0."""
    folder, ports = data
    port = {"auth": ports.auth, "notifier": ports.notifier}[service]
    program = spawn([sys.executable, "-m", "wharfinger.cli.main", "serve", service, "--data", folder], folder / "log")
    wait_until(service, lambda: answers(f"http://127.0.0.1:{port}/readyz"))
    assert program.stop() == 0
    assert "Traceback" not in program.log.read_text()


def test_the_workers(data: tuple[Path, Ports]) -> None:
    """They are supervised, as many as asked for, and end in order."""
    folder, _ = data
    command = [sys.executable, "-m", "wharfinger.cli.main", "work", "--processes", "1", "--data", str(folder)]
    program = spawn(command, folder / "log")
    wait_until("the workers", lambda: program.log.read_text().count("child.started") == 3)
    wait_until("the ledger", (folder / "ledger.db").exists)
    assert program.stop() == 0
    log = program.log.read_text()
    assert all(f'"child":"{name}"' in log for name in ("settle", "sweep", "deliver-1"))
    assert "supervisor.stopped" in log
    assert "child.killed" not in log
