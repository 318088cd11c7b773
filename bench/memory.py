"""What a token service's memory does over a million tokens: one process, no repository asked for twice.

ES256, for that is fastest. The store is emptied on the way: what it holds of each token is settle's to take away.
"""

from contextlib import closing
from typing import Final

import redis
from machine import Watch, pss_mb
from report import remark, table, title
from tokens import NEVER_TWICE, SERVER_CORE, Service, serving

from wharfinger.runtime.embedded import socket_path

TOKENS: Final = 1_000_000
TOLD_EVERY: Final = 100_000
RUN_S: Final = 5


def store_of(service: Service) -> redis.Redis:
    """A client of its store."""
    return redis.Redis(unix_socket_path=str(socket_path(service.home.folder / "store")))


def main() -> None:
    """Measure and print."""
    watch, issued, due = Watch(), 0, 0
    rows: list[tuple[str, str]] = []
    with serving("ES256", cores=(SERVER_CORE,)) as ((service,), _), closing(store_of(service)) as client:
        while issued < TOKENS:
            if issued >= due:
                rows.append((f"{issued:,}", f"{pss_mb(service.pid):.1f}"))
                due += TOLD_EVERY
            issued += round(service.wrk(repositories=NEVER_TWICE, seconds=RUN_S).a_second * RUN_S)
            client.flushall()
        rows.append((f"{issued:,}", f"{pss_mb(service.pid):.1f}"))
    title("Memory", watch.describe())
    remark("Of one process of the token service; after a first warm run.")
    table(("tokens", "MB"), rows)


if __name__ == "__main__":
    main()
