"""How long a registry waits for its 202, as a ratio to what the disk and an empty answer take in the same run.

A notification is durable before it is answered, so the disk's own fdatasync is one part of the floor; the other is a new
connection to an aiohttp server that does nothing. All three are measured in turn. Nothing is pinned: notifier, store, settle
and clients share the machine, as they do in life.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import empty_server
import redis
from machine import Watch, fdatasyncs
from posts import at_once, in_turn
from programs import House, free_port, house, program, store, wait_for, wait_ready, wharfinger
from report import ms, p50_p99, percentile, remark, table, title
from traffic import EVENTS_A_TOKEN, Traffic

from wharfinger.wire import keys

ROUNDS: Final = 20
A_ROUND: Final = 100
CLIENTS: Final = 8
BACKLOG: Final = 6_000
"""Tokens whose events settle drains while acks are timed: more than it can in the time."""


@dataclass(slots=True)
class Taken:
    """Seconds each took, and the ratio of the middle ack to the middle sync and empty answer together, round by round."""

    syncs: list[float] = field(default_factory=list)
    empties: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)

    def add(self, syncs: list[float], empties: list[float], acks: list[float]) -> None:
        """One round."""
        self.syncs += syncs
        self.empties += empties
        self.acks += acks
        self.rounds.append(median(acks) / (median(syncs) + median(empties)))

    def ratios(self) -> tuple[str, str]:
        """Of the middle ones, in the middle round; and of p99, over all."""
        floor = percentile(self.syncs, 99) + percentile(self.empties, 99)
        return f"{median(self.rounds):.1f}", f"{percentile(self.acks, 99) / floor:.1f}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two servers are."""

    notifier: int
    empty: int


@contextmanager
def servers(home: House) -> Iterator[Ports]:
    """The notifier, and the server that does nothing."""
    ports = Ports(home.ports.notifier, free_port())
    notifier = wharfinger("serve", "notifier", "--data", home.folder)
    empty = [sys.executable, empty_server.__file__, str(ports.empty)]
    with program(notifier, home.folder / "notifier.log"), program(empty, home.folder / "empty.log"):
        wait_ready(f"http://127.0.0.1:{ports.notifier}/readyz")
        wait_ready(f"http://127.0.0.1:{ports.empty}/readyz")
        yield ports


def in_turns(home: House, ports: Ports, traffic: Traffic, rounds: int, *, go_on: Callable[[], bool]) -> Taken:
    """A round of each after the other, so that all of them meet the same machine."""
    taken, token = Taken(), traffic.token()
    for _ in range(rounds):
        if not go_on():
            break
        bodies = [traffic.body(token) for _ in range(A_ROUND)]
        taken.add(
            fdatasyncs(home.folder, A_ROUND),
            in_turn(ports.empty, home.secret(), bodies),
            in_turn(ports.notifier, home.secret(), bodies),
        )
    return taken


def while_settling(home: House, client: redis.Redis, ports: Ports, traffic: Traffic) -> Taken:
    """The same while the workers drain a backlog on the same disk."""
    traffic.fill(client, BACKLOG)

    def unread() -> int:
        (group,) = [one for one in client.xinfo_groups(keys.EVENTS) if one["name"] == keys.SETTLE_GROUP.encode()]
        return int(group["lag"] or 0)

    with program(wharfinger("work", "--data", home.folder), home.folder / "work.log"):
        wait_for(
            "settling",
            lambda: client.exists(keys.EVENTS) and client.xinfo_groups(keys.EVENTS) and unread() < BACKLOG * EVENTS_A_TOKEN,
        )
        return in_turns(home, ports, traffic, ROUNDS, go_on=lambda: unread() > A_ROUND)


def main() -> None:
    """Measure and print."""
    watch = Watch()
    with house(tour=False) as home, store(home.folder) as valkey, closing(redis.Redis.from_url(valkey.url)) as client:
        traffic = Traffic(home)
        with servers(home) as ports:
            in_turns(home, ports, traffic, 1, go_on=lambda: True)
            alone = in_turns(home, ports, traffic, ROUNDS, go_on=lambda: True)
            token = traffic.token()
            many = [traffic.body(token) for _ in range(ROUNDS * A_ROUND)]
            empties, empty_rate = at_once(CLIENTS, ports.empty, home.secret(), many)
            acks, rate = at_once(CLIENTS, ports.notifier, home.secret(), many)
            settling = while_settling(home, client, ports, traffic)
    title("Ack", watch.describe())
    remark(
        "A new connection for each notification. Ratios are to fdatasync and empty answer together: of the middle ones in the "
        "middle round, and of p99 over all."
    )
    rows = [
        ("append of 1.3 kB and fdatasync, same folder", *p50_p99(alone.syncs), "", "", ""),
        ("empty aiohttp answer", *p50_p99(alone.empties), "", "", ""),
        ("notifier's 202", *p50_p99(alone.acks), *alone.ratios(), ""),
        (f"empty aiohttp answer, {CLIENTS} clients at once", *p50_p99(empties), "", "", f"{empty_rate:,.0f}"),
        (f"notifier's 202, {CLIENTS} clients at once", *p50_p99(acks), "", "", f"{rate:,.0f}"),
        ("while settle drains a backlog: fdatasync", *p50_p99(settling.syncs), "", "", ""),
        ("… empty aiohttp answer", *p50_p99(settling.empties), "", "", ""),
        ("… notifier's 202", *p50_p99(settling.acks), *settling.ratios(), ""),
    ]
    table(("", "p50 ms", "p99 ms", "p50 ratio", "p99 ratio", "a second"), rows)
    remark(
        f"{len(alone.acks):,} acks alone, {len(settling.acks):,} while settling; the slowest took {ms(max(settling.acks))} ms."
    )


if __name__ == "__main__":
    main()
