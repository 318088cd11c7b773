"""The embedded store: where its socket is and how it is set, and on the real one: starting, adopting, stopping."""

import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUnixStreamServer
from threading import Thread

import pytest
import redis

from tests.real.conftest import kill9, wait_until
from wharfinger.runtime import embedded
from wharfinger.runtime.embedded import MAX_SOCKET_PATH, configuration, socket_path
from wharfinger.runtime.errors import Misconfigured, Unavailable


def test_the_socket_is_in_its_folder(tmp_path: Path) -> None:
    """By its real path, so that every process finds the same."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert socket_path(tmp_path) == tmp_path / "valkey.sock"
    assert socket_path(tmp_path / "link") == tmp_path / "valkey.sock"


def deep(tmp_path: Path) -> Path:
    """A folder whose path is too long for a socket's."""
    folder = tmp_path / ("x" * (MAX_SOCKET_PATH - len(str(tmp_path))))
    folder.mkdir()
    return folder


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """A short one of our own instead, the same each time, another for another folder, and private."""
    folder = deep(tmp_path)
    found, again, other = socket_path(folder), socket_path(folder), socket_path(folder / "other")
    try:
        assert found == again
        assert found != other
        assert len(os.fsencode(found)) <= MAX_SOCKET_PATH
        assert found.parent.stat().st_mode & 0o777 == 0o700
    finally:
        found.parent.rmdir()
        other.parent.rmdir()


def test_the_short_folder_must_be_ours(tmp_path: Path) -> None:
    """Somebody was there first, with a link: the store's socket is not put where that points."""
    folder = deep(tmp_path)
    short = socket_path(folder).parent
    short.rmdir()
    short.symlink_to(tmp_path)
    try:
        with pytest.raises(Misconfigured, match="is not a folder of ours"):
            socket_path(folder)
    finally:
        short.unlink()


def test_a_short_folder_that_others_may_read(tmp_path: Path) -> None:
    """It is closed again."""
    folder = deep(tmp_path)
    short = socket_path(folder).parent
    short.chmod(0o755)
    socket_path(folder)
    mode = short.stat().st_mode & 0o777
    short.rmdir()
    assert mode == 0o700


def test_how_it_is_set(tmp_path: Path) -> None:
    """No TCP; a write that was answered is on disk; nothing is ever forgotten for want of memory."""
    arguments = configuration(tmp_path, tmp_path / "s")
    settings = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert settings == {
        "--port": "0",
        "--unixsocket": str(tmp_path / "s"),
        "--unixsocketperm": "700",
        "--dir": str(tmp_path),
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--aof-load-truncated": "yes",
        "--maxmemory-policy": "noeviction",
        "--save": "",
        "--daemonize": "no",
        "--logfile": str(tmp_path / "valkey.log"),
    }


@pytest.mark.real
def test_starting_and_stopping(tmp_path: Path) -> None:
    """It runs in private, keeps what it was told over a stop, and stopping it twice is nothing."""
    running = embedded.start(tmp_path)
    assert running.alive()
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    client = redis.Redis.from_url(running.store.url)
    client.set("a", "b")
    assert client.config_get("port") == {"port": "0"}
    client.close()
    running.stop()
    assert not running.alive()
    running.stop()
    again = embedded.start(tmp_path)
    client = redis.Redis.from_url(again.store.url)
    assert client.get("a") == b"b"
    client.close()
    again.stop()


@pytest.mark.real
def test_one_that_runs_is_adopted(tmp_path: Path) -> None:
    """As after a kill -9 of the process that started it; the adopter can tell whether it lives, and stop it."""
    first = embedded.start(tmp_path)
    second = embedded.start(tmp_path)
    assert (second.store.adopted, second.store.pid, second.store.url) == (True, first.store.pid, first.store.url)
    assert second.alive()
    first.stop()
    assert not second.alive()
    second.stop()


@pytest.mark.real
def test_one_that_leaves(tmp_path: Path) -> None:
    """Nobody else finds it, and it is not one that others use: while another runs there it does not start."""
    used = embedded.start(tmp_path)
    with pytest.raises(Unavailable, match="end its process"):
        embedded.start(tmp_path, leaving=True, wait_s=0.2)
    used.stop()
    leaving = embedded.start(tmp_path, leaving=True)
    assert not used.store.socket.exists()
    assert leaving.store.socket != used.store.socket
    leaving.stop()


@pytest.mark.parametrize(("mark", "told"), [("moving", "run that .* again, or remove"), ("moved", "set redis.url to that")])
def test_one_that_left(tmp_path: Path, mark: str, told: str) -> None:
    """It is not started any more, and what to do is told."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / mark).touch()
    with pytest.raises(Misconfigured, match=told):
        embedded.start(tmp_path)


def test_one_that_is_left_behind(tmp_path: Path) -> None:
    """With another Redis nobody starts it: what is on its way in it is told of; a half of a move is no start."""
    assert not embedded.left_behind(tmp_path)
    (tmp_path / "store/appendonlydir").mkdir(parents=True)
    assert embedded.left_behind(tmp_path)
    (tmp_path / "store/moving").touch()
    with pytest.raises(Misconfigured, match="is not moved yet: run that"):
        embedded.left_behind(tmp_path)
    (tmp_path / "store/moving").replace(tmp_path / "store/moved")
    assert not embedded.left_behind(tmp_path)


@pytest.mark.real
def test_an_adopter_stops_it(tmp_path: Path) -> None:
    """And waits until it is gone."""
    first = embedded.start(tmp_path)
    embedded.start(tmp_path).stop()
    wait_until("its end", lambda: not first.alive())


@pytest.mark.real
def test_after_a_kill(tmp_path: Path) -> None:
    """The socket is still there and nobody behind it: a new one starts, with every answered write."""
    first = embedded.start(tmp_path)
    client = redis.Redis.from_url(first.store.url)
    client.set("a", "b")
    client.close()
    kill9(first.store.pid)
    wait_until("its end", lambda: not first.alive())
    again = embedded.start(tmp_path)
    assert not again.store.adopted
    client = redis.Redis.from_url(again.store.url)
    assert client.get("a") == b"b"
    client.close()
    again.stop()


@pytest.mark.real
def test_two_at_once(tmp_path: Path) -> None:
    """Both end with the same one server."""
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: embedded.start(tmp_path), range(2)))
    assert found[0].store.pid == found[1].store.pid
    assert sorted(one.store.adopted for one in found) == [False, True]
    for one in sorted(found, key=lambda one: one.store.adopted):
        one.stop()


@pytest.mark.real
def test_a_deep_data_folder(tmp_path: Path) -> None:
    """The store starts there too."""
    data = deep(tmp_path)
    running = embedded.start(data)
    assert running.alive()
    running.stop()
    shutil.rmtree(running.store.socket.parent)


@pytest.mark.real
def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed leaves no orphan behind."""
    code = f"from pathlib import Path; from wharfinger.runtime import embedded; print(embedded.start(Path({str(tmp_path)!r})).store.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    kill9(parent.pid)
    parent.communicate()
    wait_until("the store's end", lambda: not Path(f"/proc/{pid}/exe").exists())


@pytest.mark.real
def test_somebody_elses_server(tmp_path: Path) -> None:
    """One that would lose what it answered for is not adopted, and is left alone."""
    running = embedded.start(tmp_path)
    client = redis.Redis.from_url(running.store.url)
    client.config_set("appendfsync", "everysec")
    with pytest.raises(Misconfigured, match="a server that is not ours"):
        embedded.start(tmp_path)
    assert client.ping()
    client.close()
    running.stop()


@pytest.mark.real
@pytest.mark.parametrize("place", ["store", "."])
def test_a_folder_that_cannot_be_used(tmp_path: Path, place: str) -> None:
    """A file is in its way, and is named."""
    data = tmp_path / "data"
    if place == ".":
        data.write_text("in the way")
    else:
        data.mkdir()
        (data / "store").write_text("in the way")
    with pytest.raises(Misconfigured, match="--data"):
        embedded.start(data)


@pytest.mark.real
def test_it_cannot_start(tmp_path: Path) -> None:
    """What its own log says is told: a damaged file is the usual reason."""
    (tmp_path / "store/appendonlydir").mkdir(parents=True)
    (tmp_path / "store/appendonlydir/appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(Unavailable, match=r"(?si)ended with 1 at once; its log says: .*manifest"):
        embedded.start(tmp_path)


@pytest.mark.real
def test_it_does_not_come_up_in_time(tmp_path: Path) -> None:
    """It is not left behind."""
    with pytest.raises(Unavailable, match="did not answer within 0 s"):
        embedded.start(tmp_path, wait_s=0)
    assert not redis_answers(tmp_path)


def redis_answers(data: Path) -> bool:
    """Whether a store runs below a data folder."""
    return embedded._ping(socket_path(data / "store")) is not None


@pytest.mark.real
def test_another_is_starting_it_for_ever(tmp_path: Path) -> None:
    """That is told too."""
    (tmp_path / "store").mkdir()
    with (tmp_path / "store/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            embedded.start(tmp_path, wait_s=0)


@pytest.mark.real
def test_it_is_asked_once(tmp_path: Path) -> None:
    """Whether somebody answers is found out by one try: a client that tries for seconds makes every start wait so long."""
    asked: list[object] = []

    class Closing(BaseRequestHandler):
        """Takes a connection, and closes it."""

        def handle(self) -> None:
            """Count it."""
            asked.append(self.request)

    with ThreadingUnixStreamServer(str(tmp_path / "s"), Closing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        assert embedded._ping(tmp_path / "s") is None
        server.shutdown()
        thread.join()
    assert len(asked) == 1
