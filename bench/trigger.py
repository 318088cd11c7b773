"""From the registry's answer to a manifest PUT until a webhook is received, push by push, with its parts.

All of it real: `wharfinger up`, a registry, clients that fetch a token and push layer, configuration and manifest, a receiver
that checks the signature. Every push is an image, a tag and a token of its own. The parts come from what the house records
itself (whole milliseconds, cut off): the notification's envelope and entry id, the ledger's rows, the worker's log.
"""

import argparse
import json
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import redis
from machine import Watch, cpu_s
from programs import REGISTRY, House, house, need, processes, program, wait_for, wait_ready, wharfinger
from report import ms, p50_p99, remark, table, title

from wharfinger.cli.pusher import Pusher, make_image
from wharfinger.cli.receiver import start_receiver
from wharfinger.ledger.database import Database
from wharfinger.runtime.embedded import socket_path
from wharfinger.wire import keys
from wharfinger.wire.notification import decompress, from_fields

ACCOUNT: Final = "hussein"
REPOSITORY: Final = "ubuntu"
RATES: Final = (5.0, 20.0)
SECONDS: Final = 20
CLIENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Push:
    """One push: its manifest's tag, and when the registry had answered the PUT."""

    tag: str
    answered_at: float


@dataclass(frozen=True, slots=True)
class Webhook:
    """What the receiver noted: when it came, for which delivery."""

    at: float
    delivery: str


@dataclass(frozen=True, slots=True)
class Way:
    """When one push reached each step, seconds since the epoch."""

    answered: float
    noticed: float
    stored: float
    planned: float
    settled: float
    taken: float
    read_back: float
    received: float


PARTS: Final = (
    ("until the notifier hears of it", "answered", "noticed"),
    ("until the store has the entry", "noticed", "stored"),
    ("synced; settle woken; batch read, attributed", "stored", "planned"),
    ("committed, acknowledged, job queued", "planned", "settled"),
    ("job taken, delivery claimed", "settled", "taken"),
    ("guarded; tag read back: asked", "taken", "read_back"),
    ("… answered; webhook sent and received", "read_back", "received"),
    ("**all**", "answered", "received"),
)


def push_at_rate(home: House, *, name: str, rate: float, seconds: float) -> list[Push]:
    """Push so often a second, each push by a client of its own; tags begin with a name."""
    password, registry = home.password(ACCOUNT), f"http://127.0.0.1:{home.ports.registry}"

    def one(number: int, due: float) -> Push:
        time.sleep(max(0.0, due - time.time()))
        tag = f"{name}-{number}"
        Pusher(registry, ACCOUNT, password).push(make_image(os.urandom(64)), REPOSITORY, tag)
        return Push(tag, time.time())

    began, count = time.time() + 0.5, int(rate * seconds)
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(count), [began + number / rate for number in range(count)]))


@contextmanager
def everything(home: House, received: dict[str, Webhook]) -> Iterator[dict[str, int]]:
    """The house, a registry, and a receiver that notes when each tag's webhook came; the processes by name."""
    lock = threading.Lock()

    def told(payload: dict[str, Any], genuine: bool) -> None:  # noqa: FBT001 - the receiver's signature
        assert genuine
        with lock:
            received.setdefault(payload["data"]["tag"], Webhook(time.time(), payload["data"]["delivery_id"]))

    receiver = start_receiver(home.hook_port, (home.folder / "hook.secret").read_bytes().strip(), told)
    with (
        program(wharfinger("up", "--data", home.folder), home.folder / "up.log") as up,
        program([REGISTRY, "serve", home.folder / "registry.yml"], home.folder / "registry.log") as registry,
    ):
        for port, path in ((home.ports.auth, "readyz"), (home.ports.notifier, "readyz"), (home.ports.registry, "v2/")):
            wait_ready(f"http://127.0.0.1:{port}/{path}")
        yield processes(home, up.pid) | {"registry": registry.pid}
    receiver.shutdown()


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the registry's: when it happened, when the notifier began to read it, when the store took it."""

    action: str
    tag: str
    digest: str
    happened: float
    noticed: float
    stored: float


def events(home: House) -> Iterator[Event]:
    """What the registry told, from the stream. A HEAD is an action of its own here."""
    with closing(redis.Redis(unix_socket_path=str(socket_path(home.folder / "store")))) as client:
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(keys.EVENTS))
    for ident, fields in entries:
        kept = from_fields(fields)
        noticed, stored = kept.notification.received_at / 1_000, int(ident.partition(b"-")[0]) / 1_000
        for one in json.loads(decompress(kept.compressed))["events"]:
            happened = datetime.fromisoformat(one["timestamp"]).timestamp()
            action = "HEAD" if one["request"]["method"] == "HEAD" else one["action"]
            yield Event(action, one["target"].get("tag", ""), one["target"]["digest"], happened, noticed, stored)


def settled_at(home: House) -> list[float]:
    """When the worker said of each batch that it was settled."""
    lines = (home.folder / "up.log").read_text().splitlines()
    told = (json.loads(line) for line in lines if '"batch.settled"' in line)
    return [datetime.fromisoformat(one["time"]).timestamp() for one in told]


def claims(home: House) -> dict[str, tuple[float, float]]:
    """For each delivery that has ended: when it was planned, and when a worker claimed it first."""
    query = "SELECT d.id, d.created_at, min(a.started_at) FROM deliveries d JOIN attempts a ON a.delivery = d.id"
    with closing(Database(home.ledger_url)) as ledger, ledger.reading() as connection:
        rows = connection.exec_driver_sql(f"{query} WHERE d.state = 'delivered' GROUP BY d.id, d.created_at").all()
    return {row[0]: (row[1] / 1_000, row[2] / 1_000) for row in rows}


def ways(home: House, pushes: Sequence[Push], received: Mapping[str, Webhook]) -> list[Way]:
    """What is known of each push, put together."""
    tags = {push.tag for push in pushes}
    wait_for("every webhook", lambda: tags <= received.keys(), seconds=300)
    wait_for("every outcome", lambda: {received[tag].delivery for tag in tags} <= claims(home).keys(), every_s=0.5)
    claimed, batches, told = claims(home), settled_at(home), list(events(home))
    pushed = {one.tag: one for one in told if one.action == "push" and one.tag}
    # The client asks for no manifest: every HEAD of one is a tag being read back.
    read_back = {one.digest: one.happened for one in told if one.action == "HEAD"}
    found = []
    for push in pushes:
        event, hook = pushed[push.tag], received[push.tag]
        planned, taken = claimed[hook.delivery]
        settled = batches[bisect_left(batches, planned)]
        asked = read_back[event.digest]
        found.append(Way(push.answered_at, event.noticed, event.stored, planned, settled, taken, asked, hook.at))
    return found


def main() -> None:
    """Measure and print."""
    watch = Watch()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rates", type=float, nargs="+", default=list(RATES), help="pushes a second")
    options.add_argument("--seconds", type=float, default=SECONDS, help="of each rate")
    told = options.parse_args()
    need(REGISTRY)
    received: dict[str, Webhook] = {}
    columns: list[list[tuple[str, str]]] = []
    used: list[dict[str, float]] = []
    with house() as home, everything(home, received) as pids:
        ways(home, push_at_rate(home, name="warm", rate=5, seconds=2), received)
        for rate in told.rates:
            before = {name: cpu_s(pid) for name, pid in pids.items()}
            seen = ways(home, push_at_rate(home, name=f"at{rate:g}", rate=rate, seconds=told.seconds), received)
            used.append({name: (cpu_s(pid) - before[name]) / len(seen) for name, pid in pids.items()})
            parts = ([getattr(way, until) - getattr(way, since) for way in seen] for _, since, until in PARTS)
            columns.append([p50_p99(part) for part in parts])
    title("Trigger", watch.describe())
    remark(f"{told.seconds:g} s at each rate; each push is a token, two blobs and a manifest; one webhook target.")
    head = [f"{which} ms at {rate:g} a second" for rate in told.rates for which in ("p50", "p99")]
    rows = zip((name for name, *_ in PARTS), *columns, strict=True)
    table(("", *head), [(name, *(one for column in row for one in column)) for name, *row in rows])
    costs = [(name, *(ms(one[name]) for one in used)) for name in pids]
    table(("process", *(f"CPU ms a push at {rate:g} a second" for rate in told.rates)), costs)


if __name__ == "__main__":
    main()
