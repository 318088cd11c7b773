"""Tokens a second of one token service on one core, as a ratio to what OpenSSL signs there, and where the time goes.

The service is the real one, recording every issuance in the embedded store (``appendfsync always``) before it answers. It has
core 0 alone; wrk and the store share core 1. 100 access rules, of which the 99th decides; a bcrypt user whose password was
compared once; repositories in turn.
"""

import base64
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from load import at_rate
from machine import CLIENT_CORE, SERVER_CORE, Watch, cpu_s, family, openssl_signs, pss_mb
from programs import House, house, need, program, store, wait_ready, wharfinger
from report import p50_p99, remark, table, title
from sampling import sample

from wharfinger.cli.generate import new_certificate

ACCOUNT: Final = "hussein"
CONNECTIONS: Final = 64
ROUNDS: Final = 5
RUN_S: Final = 3
STEADY_S: Final = 8
REPOSITORIES: Final = 400
NEVER_TWICE: Final = 10**9
SIGNATURES: Final = ("RS256", "ES256")
BOTH: Final = (SERVER_CORE, CLIENT_CORE)
RULES_BEFORE: Final = 97
"""The three that `init` writes follow; the second of them decides."""

KEPT: Final = f"{CONNECTIONS} kept connections"
KINDS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    KEPT: ((), REPOSITORIES),
    f"{CONNECTIONS} at once, a connection each": (("Connection: close",), REPOSITORIES),
    "kept, no repository asked for twice": ((), NEVER_TWICE),
}
"""Rows of the table: further headers, and how many repositories are asked for in turn."""

PARTS: Final = (
    ("signing: RSA or EC", r"(_sign_ec|signing\.<locals>\.<lambda>) "),
    ("signing: JSON and base64 of the token", r"authsvc/(adapters/signing|decide/token)\.py"),
    ("recording: redis-py, in batches", r"authsvc/adapters/streams\.py|\(redis/"),
    ("access list", r"wharfinger/policy/|authsvc/decide/access\.py"),
    ("reading the request", r"authsvc/decide/request\.py|wharfinger/wire/scope\.py|_read \(authsvc/endpoints"),
    ("password, credential, jti, record", r"authsvc/(issue|adapters/passwords|decide/credentials)\.py|wharfinger/wire/"),
    ("answer of the endpoint, metrics", r"authsvc/endpoints\.py|wharfinger/runtime/metrics\.py"),
    ("log", r"wharfinger/runtime/log\.py"),
    ("connection: head and answer", r"wharfinger/runtime/(direct|plain)\.py"),
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


def sign_with(home: House, kind: str) -> None:
    """Give the token service a key of another kind than `init` makes."""
    if kind == "RS256":
        return
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home.folder / "signing.key").write_bytes(pem)
    (home.folder / "signing.crt").write_bytes(new_certificate(pem, ["localhost"], now=datetime.now(UTC)))


@contextmanager
def serving(kind: str, *, cores: tuple[int, ...]) -> Iterator[tuple[list[Service], int]]:
    """A token service, warm, and its store's process id; its serving processes, as many as it has cores."""
    with house(tour=False) as home, store(home.folder, core=CLIENT_CORE) as valkey:
        add_rules(home)
        sign_with(home, kind)
        command = ["taskset", "-c", ",".join(map(str, cores)), *wharfinger("serve", "auth", "--data", home.folder)]
        with program(command, home.folder / "auth.log") as process:
            wait_ready(f"http://127.0.0.1:{home.ports.auth}/readyz")
            # The one that was started is only the parent.
            workers = family(process.pid)[1:]
            assert len(workers) == len(cores)
            services = [Service(home, pid) for pid in workers]
            services[0].wrk()
            yield services, valkey.pid


@dataclass(frozen=True, slots=True)
class Alone:
    """What one process gave: its runs by kind, latencies at half of its best rate, where its time went, memory in MB."""

    runs: Mapping[str, list[Run]]
    rate: float
    half: list[float]
    parts: list[tuple[str, str]]
    memory: float
    store_share: float


def alone(kind: str, signs: list[float]) -> Alone:
    """Measure one process on a core of its own; openssl in turn with it."""
    runs: dict[str, list[Run]] = {name: [] for name in KINDS}
    with serving(kind, cores=(SERVER_CORE,)) as ((service,), store_pid):
        store_s, began = cpu_s(store_pid), time.monotonic()
        for _ in range(ROUNDS):
            signs.append(openssl_signs(SERVER_CORE))
            for name, (headers, repositories) in KINDS.items():
                runs[name].append(service.wrk(*headers, repositories=repositories))
        store_share = (cpu_s(store_pid) - store_s) / (time.monotonic() - began)
        rate = best(runs[KEPT]).a_second / 2
        return Alone(runs, rate, service.at_rate(rate), service.profile(), pss_mb(service.pid), store_share)


def together() -> tuple[list[Run], list[Run]]:
    """Runs of one process and of two, in turn; both cores are everybody's, so the load generator takes its part of either."""
    one: list[Run] = []
    two: list[Run] = []
    with serving("RS256", cores=(SERVER_CORE,)) as ((single, *_), _), serving("RS256", cores=BOTH) as ((double, *_), _):
        for _ in range(ROUNDS):
            one.append(single.wrk())
            two.append(double.wrk())
    return one, two


def main() -> None:
    """Measure and print."""
    watch = Watch()
    need("wrk", "openssl", "taskset")
    os.sched_setaffinity(0, {CLIENT_CORE})
    signs: list[float] = []
    found = {kind: alone(kind, signs) for kind in SIGNATURES}
    one, two = together()
    limit = median(signs)
    title("Tokens", watch.describe())
    remark(
        f"`openssl speed rsa2048` gives {limit:,.0f} signatures a CPU second on the same core "
        f"({1e6 / limit:.0f} µs each), measured in turn with the rows. Each row is {ROUNDS} runs of {RUN_S} s: the best, "
        "for others can only slow it down, and the middle one. One process on a core of its own."
    )
    rows = [(f"{kind}, {name}", *row(runs, limit)) for kind, told in found.items() for name, runs in told.runs.items()]
    for kind, told in found.items():
        rows.append(
            (f"{kind}, steady, at half", f"{told.rate:,.0f}", "", "", *(f"{ms}ms" for ms in p50_p99(told.half)), "", "")
        )
    head = ("", "best a second", "middle", "best ÷ openssl", "p50 of the best", "p99", "CPU µs a token", "÷ openssl, by CPU")
    table(head, rows)
    ratio = best(two).a_second / best(one).a_second
    remark(
        f"Two processes on both cores, which they share with the load generator and the store: {best(two).a_second:,.0f} "
        f"a second, {ratio:.2f} times one process's {best(one).a_second:,.0f} (RS256, {KEPT})."
    )
    rsa = found["RS256"]
    remark(f"The store used {100 * rsa.store_share:.0f} % of the other core; a process holds {rsa.memory:.0f} MB.")
    if rsa.parts:
        table(("where the service's time goes", *(f"% of samples, {kind}" for kind in found)), by_kind(found))
    else:
        remark("py-spy did not run here, so there is no table of where the time goes.")


def by_kind(found: Mapping[str, Alone]) -> list[tuple[str, ...]]:
    """The parts of each kind side by side."""
    columns = [dict(told.parts) for told in found.values()]
    return [(name, *(column.get(name, "") for column in columns)) for name, _ in PARTS]


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
