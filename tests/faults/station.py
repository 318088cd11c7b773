"""The whole house with a witness at each end, a stream of pushes through it, and the faults that are done to it.

Whatever is killed or stopped meanwhile, ``assert_nothing_lost`` holds what the witnesses saw against the ledger.
"""

import json
import os
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sqlalchemy import func, select

from tests.faults.witnesses import EventWitness, HookWitness, assert_log_is_whole
from tests.real.conftest import REGISTRY, House, answers, free_port, kill9, need, spawn, wait_until
from wharfinger.cli import init
from wharfinger.cli.audit.keys import keys_of
from wharfinger.cli.loading import Place
from wharfinger.cli.pusher import PushRefused, make_image
from wharfinger.cli.templates import Ports
from wharfinger.ledger import schema
from wharfinger.ledger.database import Database
from wharfinger.ledger.verification.whole import verify_whole
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

CLIENTS = 8
CLIENT_PAUSE_S = 0.2
CLIENT_PATIENCE_S = 90.0
"""How long a client tries one push again: as a build would, and longer than any fault here lasts."""
SETTLED_S = 20.0
"""Settling goes on within 5 s of any kill; a slow machine is given more, and the measured time is printed."""
ENDED_S = 180.0
"""For the last delivery: a killed worker's lease is 15 s, and a registry that was refused backs off."""
UNFINISHED = "SELECT 1 FROM deliveries WHERE state IN ('waiting', 'sending')"


@dataclass(kw_only=True)
class Station(House):
    """`wharfinger up` and a registry, with a witness before the notifier and one behind deliver."""

    events: EventWitness
    hooks: HookWitness
    debug_port: int

    def pid(self, victim: str) -> int:
        """The process id of ``up``, ``store`` or one of its children."""
        if victim == "up":
            return self.program.process.pid
        if victim == "store":
            return self.store_pid()
        return int(wait_until(f"{victim} to run", lambda: (pid := self.children()[victim]) and lives(pid) and pid))

    def end(self) -> None:
        """Stop ``up`` in order, whichever runs now."""
        assert self.program.stop() == 0

    def kill(self, victim: str) -> None:
        """SIGKILL to one process; what supervises it is to start it again. ``up`` itself is started again by us."""
        kill9(self.pid(victim))
        if victim == "up":
            self.program.process.wait()
            self.start()

    def pause(self, victim: str, seconds: float) -> None:
        """SIGSTOP one process, and wake it after a while."""
        pid = self.pid(victim)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    def queued(self) -> int:
        """Events that the registry still has to post, by its own count."""
        answer = request(endpoint_of(f"http://127.0.0.1:{self.debug_port}"), "GET", "/debug/vars")
        (endpoint,) = json.loads(answer.body)["registry"]["notifications"]["endpoints"]
        return int(endpoint["Metrics"]["Pending"])

    def unfinished(self) -> bool:
        """Whether a delivery has not come to its end. Asked often, so without reading the records."""
        ledger = self.ledger()
        try:
            with ledger.reading() as connection:
                return connection.exec_driver_sql(UNFINISHED).first() is not None
        finally:
            ledger.close()

    def event_ids(self) -> list[str]:
        """The ids of all events in the ledger."""
        return [ident for (ident,) in self.rows("SELECT event_id FROM records WHERE kind = 'event'")]

    def settled_all(self) -> bool:
        """Whether the ledger has every event that the registry was told is taken."""
        taken = self.events.taken()
        return taken <= set(self.event_ids())

    def went_on_after(self, moment_ms: int) -> int:
        """Milliseconds from a moment until an event that the notifier took later was settled."""
        query = "SELECT event_id, recorded_at FROM records WHERE kind = 'event'"

        def settled() -> list[int]:
            later = self.events.taken(after_ms=moment_ms)
            return [recorded_at for ident, recorded_at in self.rows(query) if ident in later]

        return int(min(wait_until("settling", settled, SETTLED_S))) - moment_ms


def lives(pid: int) -> bool:
    """Whether a process runs or is stopped."""
    # One that ended and was not collected yet has no open files any more.
    try:
        return any(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


@contextmanager
def station_in(folder: Path, *, extra: str = "", ledger_url: str = "") -> Iterator[Station]:
    """Make, wire and start everything. ``extra``: more text for wharfinger.yml; ``ledger_url``: another ledger than the file."""
    need(REGISTRY)
    folder.mkdir(mode=0o700, exist_ok=True)
    ports, events_port, hook_port, debug_port = (
        Ports(free_port(), free_port(), free_port()),
        free_port(),
        free_port(),
        free_port(),
    )
    init.make(folder, (), ports, tour=True)
    config, registry = folder / "wharfinger.yml", folder / "registry.yml"
    text = config.read_text().replace("server:\n", "server:\n  processes: 1\n")  # each process has one name to be ended by
    config.write_text(text.replace(":5004/", f":{hook_port}/") + ledger_section(ledger_url) + extra)
    text = registry.read_text().replace(f":{ports.notifier}/events", f":{events_port}/events")
    text = text.replace("http:\n", f'http:\n  debug: {{addr: "127.0.0.1:{debug_port}"}}\n')
    # The registry is not what is tried here: in memory it leaves no hundred thousand files, and the disk to us.
    registry.write_text(re.sub(r"filesystem: .*", "inmemory: {}", text))
    events = EventWitness(events_port, ports.notifier)
    hooks = HookWitness(hook_port, (folder / "hook.secret").read_text().strip())
    station = Station(folder, ports, hook_port, None, None, events=events, hooks=hooks, debug_port=debug_port)  # type: ignore[arg-type]  # set just below
    station.ledger_url = ledger_url
    with ExitStack() as stack:
        stack.enter_context(events.watching())
        stack.enter_context(hooks.watching())
        station.start()
        stack.callback(station.end)
        station.registry_program = spawn([REGISTRY, "serve", registry], folder / "registry.log")
        stack.callback(station.registry_program.stop)
        wait_until("the registry", lambda: answers(f"{station.url}/v2/"))
        yield station


def ledger_section(url: str) -> str:
    """As many checkpoints as there can be: they are made in the middle of the faults, too."""
    named = f', url: "{url.replace("+psycopg", "")}"' if url else ""
    return f"\nledger: {{checkpoint_every: 1s{named}}}\n"


@dataclass
class Stream:
    """Pushes of several clients. ``digests``: those that a client was told are pushed."""

    station: Station
    begun: Iterator[int] = field(default_factory=count)
    digests: list[str] = field(default_factory=list)
    retries: int = 0

    def reach(self, pushes: int) -> None:
        """Wait until so many pushes are done."""
        wait_until(f"push {pushes}", lambda: len(self.digests) >= pushes, CLIENT_PATIENCE_S)

    def push(self) -> None:
        """One client's push of a new image under a new tag, tried until it succeeds."""
        number, image = next(self.begun), make_image(os.urandom(32))
        name = "hussein" if number % 2 else "admin"
        until = time.monotonic() + CLIENT_PATIENCE_S
        while True:
            try:
                self.station.pusher(name).push(image, "ubuntu", f"p{number}")
            except (PushRefused, Unavailable):
                self.retries += 1
                if time.monotonic() > until:
                    raise
                threading.Event().wait(CLIENT_PAUSE_S)
            else:
                self.digests.append(image.digest)
                return


@contextmanager
def pushing(station: Station, pushes: int, *, begun: Iterator[int] | None = None) -> Iterator[Stream]:
    """Clients push while the block runs, and afterwards until all is pushed. ``begun``: numbers that another stream goes on with."""
    stream = Stream(station) if begun is None else Stream(station, begun)
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(stream.push) for _ in range(pushes)]
        try:
            yield stream
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        for one in done:
            one.result()


@contextmanager
def ledger_locked(station: Station) -> Iterator[None]:
    """The ledger's write lock in somebody else's hand: a worker comes as far as its commit, and no further."""
    connection = sqlite3.connect(station.folder / "ledger.db", isolation_level=None, timeout=30)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def assert_nothing_lost(station: Station, stream: Stream) -> str:
    """Hold the witnesses against the ledger, once everything has come to rest; a line of what was seen."""
    # Reading a tag back before a delivery is an event too: only when all three are at rest nothing more comes.
    wait_until("rest", lambda: station.queued() == 0 and not station.unfinished() and station.settled_all(), ENDED_S)
    wait_until("the last events", lambda: station.queued() == 0 and station.settled_all(), ENDED_S)
    settled = Counter(station.event_ids())
    # Once each, and none that nobody sent.
    assert settled == Counter(station.events.taken())
    assert station.rows("SELECT DISTINCT verdict FROM records WHERE kind = 'event'") == [("exact",)]
    assert station.rows("SELECT count(*) FROM records WHERE kind = 'quarantine'") == [(0,)]
    pushed = {
        digest for (digest,) in station.rows("SELECT digest FROM records WHERE action = 'push' AND object_kind = 'manifest'")
    }
    assert pushed >= set(stream.digests)
    ledger = station.ledger()
    try:
        assert_log_is_whole(ledger)
        keys = keys_of(Place(station.folder / "wharfinger.yml", station.folder))
        # The newest is of all records but the last second's.
        wait_until("a checkpoint", lambda: signed_size(ledger))
        found = verify_whole(ledger, keys)
        assert (found.findings.kept, found.checkpoints > 0) == ([], True)
    finally:
        ledger.close()
    again = assert_deliveries_ended(station, stream)
    return (
        f"{len(settled)} events, {len(stream.digests)} pushes, {stream.retries} tried again, "
        f"registry was told {station.events.statuses()}, {again} webhooks heard again"
    )


def signed_size(ledger: Database) -> int:
    """The size of the newest checkpoint."""
    with ledger.reading() as connection:
        return int(connection.execute(select(func.coalesce(func.max(schema.checkpoints.c.size), 0))).scalar_one())


def assert_deliveries_ended(station: Station, stream: Stream) -> int:
    """Every pushed digest was delivered, and a request repeated only under its id; how many were repeated."""
    query = "SELECT d.id, r.event_id, r.digest, d.state FROM deliveries d JOIN records r USING (seq)"
    rows = station.rows(query)
    assert {state for *_, state in rows} <= {"delivered", "unchanged", "superseded"}
    assert {digest for *_, digest, state in rows if state == "delivered"} >= set(stream.digests)
    heard = list(station.hooks.heard)
    assert all(one.genuine for one in heard)
    assert {(one.webhook_id, one.event_id, one.digest) for one in heard} <= {row[:3] for row in rows}
    assert {one.webhook_id for one in heard} >= {ident for ident, *_, state in rows if state == "delivered"}
    return len(heard) - len({one.webhook_id for one in heard})
