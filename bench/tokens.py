"""Tokens a second of one token service on one core, as a ratio to what OpenSSL signs there, and where the time goes.

The service is the real one, recording every issuance in the embedded store (``appendfsync always``) before it answers. It has
core 0 alone; wrk and the store share core 1. 100 access rules, of which the 99th decides; a bcrypt user whose password was
compared once; repositories in turn.
"""

import base64
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from load import at_rate
from machine import CLIENT_CORE, SERVER_CORE, Watch, cpu_s, family, openssl_signs, pss_mb
from programs import House, house, need, program, store, wait_ready, wharfinger
from report import p50_p99, remark, table, title
from sampling import sample

ACCOUNT: Final = "hussein"
CONNECTIONS: Final = 64
ROUNDS: Final = 5
RUN_S: Final = 3
STEADY_S: Final = 8
REPOSITORIES: Final = 400
NEVER_TWICE: Final = 10**9
RULES_BEFORE: Final = 97
"""The three that `init` writes follow; the second of them decides."""

KINDS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    f"{CONNECTIONS} kept connections": ((), REPOSITORIES),
    f"{CONNECTIONS} at once, a connection each": (("Connection: close",), REPOSITORIES),
    "kept, no repository asked for twice": ((), NEVER_TWICE),
}
"""Rows of the table: further headers, and how many repositories are asked for in turn."""

PARTS: Final = (
    ("signing: RSA", r"RSAAlgorithm\.sign "),
    ("signing: JSON and base64 of the token", r"authsvc/(adapters/signing|decide/token)\.py"),
    ("recording: redis-py, in batches", r"authsvc/adapters/streams\.py|\(redis/"),
    ("access list", r"wharfinger/policy/|authsvc/decide/access\.py"),
    ("reading the request", r"authsvc/decide/request\.py|wharfinger/wire/scope\.py|_read \(authsvc/endpoints"),
    ("password, credential, jti, record", r"authsvc/(issue|adapters/passwords|decide/credentials)\.py|wharfinger/wire/"),
    ("answer of the endpoint", r"authsvc/endpoints\.py"),
    ("aiohttp", r"\(aiohttp/"),
    ("event loop", r""),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk told (latencies as it prints them), and the service's CPU seconds a token."""

    a_second: float
    p50: str
    p99: str
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Service:
    """A running token service. ``pid``: of the process that serves."""

    home: House
    pid: int

    def authorization(self) -> str:
        """Of a user who has a bcrypt password."""
        return "Basic " + base64.b64encode(f"{ACCOUNT}:{self.home.password(ACCOUNT)}".encode()).decode()

    def wrk(self, *headers: str, repositories: int = REPOSITORIES, seconds: int = RUN_S) -> Run:
        """Ask for tokens as fast as they come."""
        options = [part for header in (f"Authorization: {self.authorization()}", *headers) for part in ("-H", header)]
        size = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-s", str(Path(__file__).with_suffix(".lua"))]
        url = f"http://127.0.0.1:{self.home.ports.auth}"
        command = ["taskset", "-c", str(CLIENT_CORE), "wrk", *size, *options, url, "--", str(repositories)]
        used = cpu_s(self.pid)
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
        used = cpu_s(self.pid) - used
        assert "Non-2xx" not in told, told
        found = [re.search(pattern, told, re.MULTILINE) for pattern in _TOLD]
        tokens, rate, p50, p99 = (match[1] for match in found if match)
        return Run(float(rate), p50, p99, used / int(tokens))

    def at_rate(self, rate: float) -> list[float]:
        """Latencies at a steady rate."""
        path = "/auth?service=registry&scope=repository:team/app1:pull,push"
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {self.authorization()}\r\n\r\n"
        return at_rate(self.home.ports.auth, head.encode(), rate=rate, seconds=STEADY_S, connections=CONNECTIONS)

    def profile(self) -> list[tuple[str, str]]:
        """Where its time goes under full load."""
        return sample(
            self.pid, seconds=STEADY_S, folder=self.home.folder, parts=PARTS, meanwhile=lambda: self.wrk(seconds=STEADY_S + 1)
        )


_TOLD: Final = (r"(\d+) requests in", r"^Requests/sec:\s+([\d.]+)", r"^\s+50%\s+(\S+)", r"^\s+99%\s+(\S+)")


def add_rules(home: House) -> None:
    """Put rules of others before our own: an exact account, a regular expression, a rule for everybody."""
    kinds = (
        '  - {{match: {{account: "robot{0:02}", type: repository, name: "/^shop{0:02}(/.+)?$/"}}, actions: [pull, push]}}',
        '  - {{match: {{account: "/^team{0:02}-(dev|ops)$/", type: repository, name: "team{0:02}/*"}}, actions: ["*"]}}',
        '  - {{match: {{type: repository, name: "public{0:02}/*"}}, actions: [pull]}}',
    )
    rules = "\n".join(kinds[number % len(kinds)].format(number) for number in range(RULES_BEFORE))
    text = home.config.read_text().replace("name: ubuntu}", 'name: "team/*"}')
    home.config.write_text(re.sub("^acl:.*$", lambda _: f"acl:\n{rules}", text, flags=re.MULTILINE))


def main() -> None:
    """Measure and print."""
    watch = Watch()
    need("wrk", "openssl", "taskset")
    kinds: dict[str, list[Run]] = {name: [] for name in KINDS}
    signs: list[float] = []
    with house(tour=False) as home, store(home.folder, core=CLIENT_CORE) as valkey:
        add_rules(home)
        command = wharfinger("serve", "auth", "--data", home.folder)
        with program(command, home.folder / "auth.log", core=SERVER_CORE) as process:
            wait_ready(f"http://127.0.0.1:{home.ports.auth}/readyz")
            Service(home, process.pid).wrk()
            # With one core it serves from one process, of which the one that was started is only the parent.
            service = Service(home, max(family(process.pid), key=cpu_s))
            store_s, began = cpu_s(valkey.pid), time.monotonic()
            for _ in range(ROUNDS):
                signs.append(openssl_signs(SERVER_CORE))
                for name, (headers, repositories) in KINDS.items():
                    kinds[name].append(service.wrk(*headers, repositories=repositories))
            store_share = (cpu_s(valkey.pid) - store_s) / (time.monotonic() - began)
            rate = best(kinds[next(iter(KINDS))]).a_second / 2
            half = service.at_rate(rate)
            parts = service.profile()
            memory = pss_mb(service.pid)
    limit = median(signs)
    title("Tokens", watch.describe())
    remark(
        f"One process, RS256. `openssl speed rsa2048` gives {limit:,.0f} signatures a CPU second on the same core "
        f"({1e6 / limit:.0f} µs each), measured in turn with the rows. Each row is {ROUNDS} runs of {RUN_S} s: the best, "
        "for others can only slow it down, and the middle one."
    )
    rows = [(name, *row(runs, limit)) for name, runs in kinds.items()]
    rows.append(("steady, at half of the first", f"{rate:,.0f}", "", "", *(f"{one}ms" for one in p50_p99(half)), "", ""))
    head = ("", "best a second", "middle", "best ÷ openssl", "p50 of the best", "p99", "CPU µs a token", "÷ openssl, by CPU")
    table(head, rows)
    remark(f"The store used {100 * store_share:.0f} % of the other core; the service holds {memory:.0f} MB.")
    if parts:
        table(("where the service's time goes", "% of samples"), parts)
    else:
        remark("py-spy did not run here, so there is no table of where the time goes.")


def best(runs: Sequence[Run]) -> Run:
    """The one that was slowed down least."""
    return max(runs, key=lambda run: run.a_second)


def row(runs: Sequence[Run], limit: float) -> tuple[str, ...]:
    """What a table shows of one kind; ``limit``: OpenSSL's signatures a second."""
    top, cpu = best(runs), median(run.cpu_s for run in runs)
    middle = median(run.a_second for run in runs)
    rates = f"{top.a_second:,.0f}", f"{middle:,.0f}", f"{top.a_second / limit:.2f}"
    return *rates, top.p50, top.p99, f"{cpu * 1e6:.0f}", f"{1 / cpu / limit:.2f}"


if __name__ == "__main__":
    main()
