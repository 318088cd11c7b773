"""Tokens a second of one token service on one core, as a ratio to what OpenSSL signs there, and where the time goes.

The service is the real one, recording every issuance in the embedded store (``appendfsync always``) before it answers. It has
core 0 alone; wrk and the store share core 1. 100 access rules, of which the 99th decides; a bcrypt user whose password was
compared once; repositories in turn.
"""

import base64
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from load import at_rate
from machine import CLIENT_CORE, SERVER_CORE, Watch, cpu_s, openssl_signs, pss_mb
from programs import House, house, need, program, store, wait_ready, wharfinger
from report import p50_p99, remark, table, title
from sampling import sample

ACCOUNT: Final = "hussein"
CONNECTIONS: Final = 64
RUN_S: Final = 8
REPOSITORIES: Final = 400
NEVER_TWICE: Final = 10**9
RULES_BEFORE: Final = 97
"""The three that `init` writes follow; the second of them decides."""

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

    def times(self) -> tuple[str, str, str]:
        """As tables show them."""
        return self.p50, self.p99, f"{self.cpu_s * 1e6:.0f}"


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
        return at_rate(self.home.ports.auth, head.encode(), rate=rate, seconds=RUN_S, connections=CONNECTIONS)

    def profile(self) -> list[tuple[str, str]]:
        """Where its time goes under full load."""
        return sample(self.pid, seconds=RUN_S - 2, folder=self.home.folder, parts=PARTS, meanwhile=self.wrk)


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
    with house(tour=False) as home, store(home.folder, core=CLIENT_CORE) as valkey:
        add_rules(home)
        command = wharfinger("serve", "auth", "--data", home.folder)
        with program(command, home.folder / "auth.log", core=SERVER_CORE) as process:
            wait_ready(f"http://127.0.0.1:{home.ports.auth}/readyz")
            service = Service(home, process.pid)
            service.wrk(seconds=2)
            signs = [openssl_signs(SERVER_CORE)]
            used = cpu_s(valkey.pid)
            kept = service.wrk()
            used = 100 * (cpu_s(valkey.pid) - used) / RUN_S
            signs.append(openssl_signs(SERVER_CORE))
            closed = service.wrk("Connection: close")
            signs.append(openssl_signs(SERVER_CORE))
            fresh = service.wrk(repositories=NEVER_TWICE)
            half = service.at_rate(kept.a_second / 2)
            parts = service.profile()
            memory = pss_mb(process.pid)
    limit = sum(signs) / len(signs)
    title("Tokens", watch.describe())
    remark(
        f"`openssl speed rsa2048`: {limit:,.0f} signatures a second on the service's core, mean of three runs "
        "between the others."
    )
    runs = (
        (f"{CONNECTIONS} kept connections", kept),
        (f"{CONNECTIONS} at once, a connection each", closed),
        ("kept, no repository asked for twice", fresh),
    )
    rows = [(name, f"{run.a_second:,.0f}", f"{run.a_second / limit:.2f}", *run.times()) for name, run in runs]
    p50, p99 = p50_p99(half)
    rows.append(("steady, at half of the first rate", f"{kept.a_second / 2:,.0f}", "", f"{p50}ms", f"{p99}ms", ""))
    table(("RS256, one process", "tokens a second", "÷ openssl", "p50", "p99", "µs of CPU a token"), rows)
    remark(
        f"One signature takes {1e6 / limit:.0f} µs. The store used {used:.0f} % of the other core; "
        f"the service holds {memory:.0f} MB."
    )
    if parts:
        table(("where the service's time goes", "% of samples"), parts)
    else:
        remark("py-spy did not run here, so there is no table of where the time goes.")


if __name__ == "__main__":
    main()
