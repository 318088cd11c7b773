"""`wharfinger tour`, which `make run` runs: the play, and what it does when something else is where it wants to be."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.real.conftest import REGISTRY, Program, free_port, kill9, need, spawn, wait_until
from tests.wharfinger.cli.houses import house
from wharfinger.cli.receiver import start_receiver
from workers.errors import Unavailable

pytestmark = pytest.mark.real

OURS = (sys.executable, "-m", "wharfinger.cli.main", "tour")
OFFSETS = {"registry": 0, "tokens": 1, "notifications": 2, "the tour's webhooks": 4}


def first_port() -> int:
    """A port that is free, as are those that go with it."""
    while True:
        first = free_port()
        try:
            with ExitStack() as stack:
                for offset in OFFSETS.values():
                    stack.enter_context(socket.create_server(("127.0.0.1", first + offset)))
        except OSError:
            continue
        return first


def tour(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    need(REGISTRY)
    command = [*OURS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def staying(tmp_path: Path) -> Iterator[tuple[Program, int]]:
    """A tour that stays up, and its first port."""
    need(REGISTRY)
    first = first_port()
    program = spawn([*OURS, "--data", tmp_path / "data", "--ports", str(first), "--no-play"], tmp_path / "tour.log")
    wait_until("the tour", lambda: "Everything stays up" in (tmp_path / "tour.log").read_text(), 60)
    yield program, first
    program.stop()


def test_the_play(tmp_path: Path) -> None:
    """On ports of one's choice: pushed, traced, told to the webhook; refused; unchanged the second time."""
    first = first_port()
    played = tour("--data", tmp_path / "data", "--ports", first, "--no-stay")
    assert played.returncode == 0, played.stderr
    for said in (f"signature right: 127.0.0.1:{first}/ubuntu@sha256:", "exact  hussein", "may not push fedora", "unchanged"):
        assert said in played.stdout


def test_taken_ports_are_told_before_anything_is_made(tmp_path: Path) -> None:
    """All of them, by what they are for; whoever listens there is sent nothing."""
    first = first_port()
    with ExitStack() as stack:
        others = [stack.enter_context(socket.create_server(("127.0.0.1", first + at))) for at in OFFSETS.values()]
        refused = tour("--data", tmp_path / "data", "--ports", first)
        for other in others:
            other.settimeout(0)
            with pytest.raises(BlockingIOError):
                other.accept()
    assert (refused.returncode, refused.stdout) == (3, "")
    told = [f"127.0.0.1:{first + at} ({what}) is taken by another program: stop that, or " for what, at in OFFSETS.items()]
    assert [line.partition("take others")[0] for line in refused.stderr.splitlines()] == told
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_there_has_its_ports(tmp_path: Path) -> None:
    """Its registry's is taken: told, and nothing is started."""
    first = first_port()
    made = tour("--data", tmp_path / "data", "--ports", first, "--no-play", "--no-stay")
    assert made.returncode == 0, made.stderr
    with socket.create_server(("127.0.0.1", first)):
        refused = tour("--data", tmp_path / "data", "--ports", first_port())
    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"127.0.0.1:{first} (registry) is taken" in refused.stderr
    assert "changes nothing" in refused.stderr


def test_a_second_one_and_the_end_of_the_first(tmp_path: Path, staying: tuple[Program, int]) -> None:
    """The same folder is in use, its ports are taken; when the registry dies, so does the tour, and says so."""
    program, first = staying
    again = tour("--data", tmp_path / "data")
    assert (again.returncode, again.stdout) == (2, "")
    assert f"another `wharfinger up` runs on {tmp_path}/data" in again.stderr
    beside = tour("--data", tmp_path / "other", "--ports", first, "--no-play")
    assert beside.returncode == 3
    assert f"127.0.0.1:{first + 1} (tokens) is taken" in beside.stderr
    said = (tmp_path / "tour.log").read_text()
    kill9(int(re.findall(r"registry runs, process (\d+)", said)[0]))
    assert program.process.wait(60) == 3
    assert f"registry ended with -9; see {tmp_path}/data/registry.log" in (tmp_path / "tour.log").read_text()


def test_a_folder_of_init(tmp_path: Path) -> None:
    """It is started; what the play needs is not there, and how to see it is said."""
    data = house(tmp_path / "data")
    first = first_port()
    for file in ("wharfinger.yml", "registry.yml"):
        text = (data / file).read_text()
        for made, free in {"5550": first, "5551": first + 1, "5552": first + 2}.items():
            text = text.replace(made, str(free))
        (data / file).write_text(text)
    started = tour("--data", data, "--no-stay")
    assert started.returncode == 0, started.stderr
    assert "registry runs" in started.stdout
    assert "make run DATA=./tour PORTS=6000" in started.stdout


def test_the_receiver_says_what_is_in_its_way() -> None:
    """Its port, and the reason: no stack of calls."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"^127\.0\.0\.1:{port} \(the tour's webhooks\): Address already in use"):
            start_receiver(port, b"whsec_AAAA", lambda _payload, _genuine: None)
