"""What `wharfinger up` costs while nothing happens: CPU of each process, and memory, shared pages counted once (PSS).

Measured twice: just started, and after it has settled some thousand events.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import redis
from machine import Watch, cpu_percents, pss_mb
from programs import House, house, processes, program, wait_for, wait_ready, wharfinger
from report import remark, table, title
from traffic import EVENTS_A_TOKEN, RECORDS_A_TOKEN, Traffic

from wharfinger.ledger.database import Database
from wharfinger.runtime.embedded import socket_path

CALM_S: Final = 5
WATCHED_S: Final = 20
TOKENS: Final = 250


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process: percent of a core, and MB."""

    cpu: float
    memory: float


def costs(pids: Mapping[str, int]) -> dict[str, Cost]:
    """What each takes while nothing happens."""
    time.sleep(CALM_S)
    cpu = cpu_percents(pids, WATCHED_S)
    return {name: Cost(cpu[name], pss_mb(pid)) for name, pid in pids.items()}


def work_a_little(home: House) -> None:
    """Settle some events."""
    with closing(redis.Redis(unix_socket_path=str(socket_path(home.folder / "store")))) as client:
        Traffic(home).fill(client, TOKENS)

    def settled() -> bool:
        with closing(Database(home.ledger_url)) as ledger, ledger.reading() as connection:
            return bool(connection.exec_driver_sql("SELECT count(*) FROM records").scalar_one() == TOKENS * RECORDS_A_TOKEN)

    wait_for("settling", settled, every_s=0.5)


def main() -> None:
    """Measure and print."""
    watch = Watch()
    with house(tour=False) as home, program(wharfinger("up", "--data", home.folder), home.folder / "up.log") as up:
        for port in (home.ports.auth, home.ports.notifier):
            wait_ready(f"http://127.0.0.1:{port}/readyz")
        pids = processes(home, up.pid)
        fresh = costs(pids)
        work_a_little(home)
        worked = costs(pids)
        assert processes(home, up.pid) == pids
    title("Idle", watch.describe())
    remark(f"CPU over {WATCHED_S} s, in percent of one core; memory as PSS.")
    rows: list[tuple[str, ...]] = [_row(name, fresh[name], worked[name]) for name in pids]
    rows.append(_row("**all**", _sum(fresh), _sum(worked)))
    table(
        (
            "",
            "CPU %, just started",
            f"CPU %, after {TOKENS * EVENTS_A_TOKEN:,} events",
            "MB, just started",
            f"MB, after {TOKENS * EVENTS_A_TOKEN:,} events",
        ),
        rows,
    )


def _row(name: str, fresh: Cost, worked: Cost) -> tuple[str, ...]:
    return name, f"{fresh.cpu:.2f}", f"{worked.cpu:.2f}", f"{fresh.memory:.1f}", f"{worked.memory:.1f}"


def _sum(costs_by_name: Mapping[str, Cost]) -> Cost:
    every = costs_by_name.values()
    return Cost(sum(one.cpu for one in every), sum(one.memory for one in every))


if __name__ == "__main__":
    main()
