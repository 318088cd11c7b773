"""Real programs for tests: the whole house, a registry, clients, a Docker Engine; on loopback, in their own folders.

Each is started in a session of its own, gets SIGTERM when the tests die, and is stopped by its own process id. Fixtures:

- ``house``: `wharfinger up` wired to a real registry and a webhook receiver, one for a module.
- ``engine``: a real dockerd with its own folders, one for the session (root).
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.trail import ask
from wharfinger.cli import init
from wharfinger.cli.pusher import Pusher
from wharfinger.cli.receiver import start_receiver
from wharfinger.cli.templates import Ports
from wharfinger.ledger.database import Database
from wharfinger.ledger.queries import Trace, trace
from wharfinger.runtime.embedded import die_with_parent
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

REGISTRY = os.environ.get("WHARFINGER_REGISTRY", "docker-registry")
DOCKERD = os.environ.get("WHARFINGER_DOCKERD", "dockerd")


def need(*programs: str, root: bool = False) -> None:
    """Skip, loudly, what cannot run here; in CI that is a failure."""
    missing = [program for program in programs if shutil.which(program) is None]
    if root and os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI must have {', '.join(missing)}")
    if missing:
        pytest.skip(f"NOT RUN: needs {', '.join(missing)}")


def free_port() -> int:
    """A TCP port nobody has, below those that outgoing connections are given meanwhile."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(what: str, predicate: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something, and say what did not come."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = predicate()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} did not come within {seconds:.0f} s")


@dataclass
class Program:
    """A running program and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, then wait; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def spawn(command: Sequence[str | Path], log: Path, *, env: dict[str, str] | None = None) -> Program:
    """Start a program."""
    parent = os.getpid()
    with log.open("ab") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            preexec_fn=lambda: die_with_parent(parent),
        )
    return Program(process, log)


def answers(url: str, ca: Path | None = None) -> bool:
    """Whether something speaks HTTP there, and is ready."""
    try:
        return request(endpoint_of(url, ca), "GET", "/" + url.split("/", 3)[3], timeout_s=2).status in {200, 401}
    except Unavailable:
        return False


@dataclass
class House:
    """`wharfinger up`, a registry and a receiver."""

    folder: Path
    ports: Ports
    hook_port: int
    program: Program
    registry_program: Program
    ca: Path | None = None
    heard: list[dict[str, Any]] = field(default_factory=list)
    ledger_url: str = ""

    @property
    def registry(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.ports.registry}"

    @property
    def url(self) -> str:
        """The registry's URL."""
        return f"{self.scheme}://{self.registry}"

    @property
    def scheme(self) -> str:
        """What registry and token service speak."""
        return "http" if self.ca is None else "https"

    def password(self, name: str) -> str:
        """A user's password."""
        if name == "wharfinger":
            return (self.folder / "wharfinger.password").read_text().strip()
        return dict(line.split() for line in (self.folder / "passwords.txt").read_text().splitlines())[name]

    def secret(self) -> str:
        """The notification secret."""
        return (self.folder / "notification.secret").read_text().strip()

    def pusher(self, name: str = "hussein") -> Pusher:
        """A client that pushes."""
        return Pusher(self.url, name, self.password(name))

    def ledger(self) -> Database:
        """A handle on the ledger; close it."""
        return Database(self.ledger_url or f"sqlite:///{self.folder}/ledger.db")

    def trace(self, ref: str) -> Trace:
        """What the ledger ties to a reference."""
        database = self.ledger()
        try:
            return trace(database, ref)
        finally:
            database.close()

    def traced(self, ref: str, wanted: Callable[[Trace], Any], seconds: float = 30) -> Trace:
        """The same, once it is as wanted."""
        return wait_until(f"the trace of {ref}", lambda: (found := self.trace(ref)) and wanted(found) and found, seconds)  # type: ignore[no-any-return]  # the trace

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        database = self.ledger()
        try:
            return ask(database, query)
        finally:
            database.close()

    def post(self, event: dict[str, Any]) -> int:
        """Post a notification with the right secret, as anybody who has it could."""
        headers = {"Authorization": f"Bearer {self.secret()}", "Content-Type": "application/json"}
        target = endpoint_of(f"http://127.0.0.1:{self.ports.notifier}")
        return request(target, "POST", "/events", headers=headers, body=json.dumps({"events": [event]}).encode()).status

    def start(self, *, wait: bool = True) -> None:
        """Start `up` again."""
        up = [sys.executable, "-m", "wharfinger.cli.main", "up", "--data", self.folder]
        self.program = spawn(up, self.folder / "up.log")
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Both services answer, and so does the store."""
        for base in (f"{self.scheme}://127.0.0.1:{self.ports.auth}", f"http://127.0.0.1:{self.ports.notifier}"):
            wait_until(base, lambda base=base: answers(f"{base}/readyz", self.ca), 60)  # type: ignore[misc]  # binds now

    def children(self) -> dict[str, int]:
        """The running children's process ids by name, by what `up` logged."""
        found: dict[str, int] = {}
        for line in (self.folder / "up.log").read_text().splitlines():
            record = json.loads(line) if line.startswith("{") else {}
            if record.get("event") == "child.started":
                found[record["child"]] = record["pid"]
        return found

    def store_pid(self) -> int:
        """The embedded store's process id."""
        client = redis.Redis(unix_socket_path=f"{self.folder}/store/valkey.sock")
        try:
            return int(client.info("server")["process_id"])
        finally:
            client.close()


def build_house(
    folder: Path,
    *,
    deploy: str = "",
    targets: str = "",
    hosts: tuple[str, ...] = (),
    more: str = "",
    processes: int = 0,
    edit: Callable[[str], str] = str,
) -> House:
    """Make, wire and start everything.

    Args:
        folder: of its data.
        deploy: lines of the configuration, further rules.
        targets: further targets.
        hosts: as `init --host`.
        more: further sections.
        processes: of the token service; 0 for as many as there are cores.
        edit: changes the configuration's whole text.
    """
    need(REGISTRY)
    folder.mkdir(mode=0o700, exist_ok=True)
    ports, hook_port = Ports(free_port(), free_port(), free_port()), free_port()
    init.make(folder, hosts, ports, tour=True)
    config = folder / "wharfinger.yml"
    text = config.read_text().replace(":5004/", f":{hook_port}/")
    text = text.replace("users:  ", 'users:\n  "": {}\n#').replace("acl:  ", ACL + "#")
    if processes:
        text = text.replace("server:\n", f"server:\n  processes: {processes}\n")
    config.write_text(edit(text.replace("  targets:\n", f"{deploy}  targets:\n{targets}") + more))
    house = House(folder, ports, hook_port, None, None, folder / "tls.crt" if hosts else None)  # type: ignore[arg-type]  # set just below
    secret = (folder / "hook.secret").read_bytes().strip()
    start_receiver(hook_port, secret, lambda payload, genuine: house.heard.append(payload | {"genuine": genuine}))
    house.start()
    house.registry_program = spawn([REGISTRY, "serve", folder / "registry.yml"], folder / "registry.log")
    wait_until("the registry", lambda: answers(f"{house.url}/v2/", house.ca))
    return house


ACL = """acl:
  - match: {account: hussein, type: repository, name: "/^(ubuntu|team/.*)$/"}
    actions: [pull, push, delete]
  - match: {account: "", type: repository, name: "team/*"}
    actions: [pull]
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, for one module."""
    built = build_house(tmp_path_factory.mktemp("house"))
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


@dataclass
class Engine:
    """A Docker Engine of our own. ``config``: the docker client's folder, where it keeps who is logged in."""

    socket: Path
    tcp_port: int
    config: Path

    def docker(
        self, *arguments: str | Path, check: bool = True, config: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the docker client against it."""
        command = ["docker", "--config", str(config or self.config), "-H", f"unix://{self.socket}", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert not check or done.returncode == 0, f"docker {arguments}: {done.stderr}"
        return done

    def inspect(self, container: str) -> dict[str, Any]:
        """A container as the Engine describes it."""
        found: dict[str, Any] = json.loads(self.docker("container", "inspect", container).stdout)[0]
        return found

    def names(self, prefix: str) -> list[str]:
        """The names of all containers that begin so, also of stopped ones."""
        names = self.docker("ps", "-a", "--format", "{{.Names}}").stdout.split()
        return sorted(name for name in names if name.startswith(prefix))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A real dockerd, root only."""
    need(DOCKERD, "docker", "containerd", "runc", root=True)
    folder = tmp_path_factory.mktemp("engine")
    sock, port = folder / "d.sock", free_port()
    command: list[str | Path] = [
        DOCKERD, "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "d.pid", "-H", f"unix://{sock}",
        "-H", f"tcp://127.0.0.1:{port}", "--tls=false", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--bip", "10.211.77.1/24",
        "--default-address-pool", "base=10.212.0.0/16,size=24",
    ]  # fmt: skip
    (folder / "config").mkdir()
    program = spawn(command, folder / "dockerd.log")
    built = Engine(sock, port, folder / "config")
    try:
        until = time.monotonic() + 60
        while built.docker("version", check=False).returncode != 0:
            if program.process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"dockerd did not start: {(folder / 'dockerd.log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield built
    finally:
        for name in built.docker("ps", "-aq", check=False).stdout.split():
            built.docker("rm", "-f", name, check=False)
        # Their bridges would outlive dockerd, until a later one finds no addresses left.
        built.docker("network", "prune", "--force", check=False)
        program.stop(60)
        # dockerd leaves its host network namespace mounted, and pytest could not remove the folder later.
        subprocess.run(["umount", folder / "exec/netns/default"], check=False, capture_output=True, timeout=30)


def kill9(pid: int) -> None:
    """SIGKILL to one process."""
    os.kill(pid, signal.SIGKILL)
