"""Shadow mode: clients get what docker_auth answers, byte for byte, and its operator is told where we would answer otherwise."""

import asyncio
import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import bcrypt
import pytest
import uvloop

from authsvc.decide.framing import RequestHead
from authsvc.shadow.relay import Exchange, Own, Relay, Upstream
from tests.real.conftest import Engine, House, Program, build_house, free_port, spawn, wait_until
from tests.real.docker_auth import DockerAuthLike, Known, Rule, Scripted, scripted
from tests.real.test_clients import done, root_filesystem
from tests.real.test_http import FORM, Answer, Server, listening
from tests.real.test_metrics import scrape
from tests.real.test_pipe import creds, layout, skopeo
from wharfinger.cli import init
from wharfinger.cli.pusher import make_image
from wharfinger.cli.templates import Ports

pytestmark = pytest.mark.real

DOCKER_AUTH = os.environ.get("WHARFINGER_DOCKER_AUTH", "")
GET = b"GET /auth?service=r HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def shadow(folder: Path, config: Path, port: int) -> Server:
    """Start it and wait."""
    command: list[str | Path] = [sys.executable, "-m", "wharfinger.cli.main", "-c", config, "--data", folder, "serve", "shadow"]
    started = Server(port, "", spawn(command, folder / "shadow.log"), folder)
    wait_until("the shadow", lambda: _listens(port))
    return started


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """What it logged under a name."""
    lines = [json.loads(line) for line in (folder / "shadow.log").read_text().splitlines()]
    return [line for line in lines if line["event"] == name]


# --- the relay


@dataclass
class Wired:
    """A shadow in front of a scripted server."""

    upstream: Scripted
    server: Server

    def say(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes on a connection of their own; all that comes back until the other end closes."""
        assert isinstance(self.server.place, int)
        with socket.create_connection(("127.0.0.1", self.server.place), timeout=20) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            back = b""
            while more := connection.recv(65_536):
                back += more
            return back


def exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or those that came before the end."""
    back = b""
    while len(back) < size and (more := connection.recv(size - len(back))):
        back += more
    return back


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """Both, for one module."""
    folder, behind, port = tmp_path_factory.mktemp("wired"), free_port(), free_port()
    init.make(folder, (), Ports(free_port(), free_port(), free_port()))
    config = folder / "wharfinger.yml"
    config.write_text(config.read_text() + f'shadow: {{upstream: "http://127.0.0.1:{behind}", addr: "127.0.0.1:{port}"}}\n')
    with scripted(behind) as upstream:
        server = shadow(folder, config, port)
        yield Wired(upstream, server)
        assert server.program.stop() == 0


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 \r\nx-ODD-Case: 1\r\nX-Odd-case: 2\r\ncontent-length: 2\r\nDate: never\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;name=value\r\nok\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil it closes",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b'HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic realm="x"\r\nContent-Length: 13\r\n\r\nAuth failed.\n',
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 34\r\n\r\nAuthentication failed (authn #1)\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nwhatever that is",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
    ],
)  # fmt: skip
def test_whatever_it_answers(wired: Wired, answer: bytes) -> None:
    """Comes as it is: status line, headers in their order and case, body, and its end, also of what is no HTTP."""
    wired.upstream.tell(answer)
    assert wired.say(GET) == answer
    assert wired.upstream.heard == [GET]


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"])
def test_in_pieces_and_late(wired: Wired, answer: bytes) -> None:
    """A slow answer is the same answer."""
    steps: list[bytes | float] = []
    for at in range(0, len(answer), 7):
        steps += [answer[at : at + 7], 0.02]
    wired.upstream.tell(0.5, *steps)
    assert wired.say(GET) == answer


CHUNKED = b"POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"HEAD /auth HTTP/1.1\r\nhOST: x\r\nX-A:  1 \r\nx-a: 2\r\n\r\n",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nab",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"y" * 200_000,
        CHUNKED,
        b"GET /auth HTTP/1.0\r\n\r\n",
        b"GET http://x/auth HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /auth HTTP/1.1\nHost: x\n\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /auth HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + b"z" * 100_000 + b"\r\n\r\n",
        b"POST /auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /shadow HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_whatever_is_asked(wired: Wired, request_: bytes) -> None:
    """Goes as it came: what we could read otherwise than the server behind, it alone reads."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request"
    wired.upstream.tell(answer, until=lambda data: len(data) >= len(request_))
    back = wired.say(request_)
    assert back == (answer.removesuffix(b"400 Bad Request") if request_.startswith(b"HEAD") else answer)
    assert b"".join(wired.upstream.heard) == request_


def test_several_on_one_connection(wired: Wired) -> None:
    """Asked one after the other, or all at once; each gets its own answer, and the connection ends when the upstream's does."""
    wired.upstream.tell(OK, OK, OK, until=lambda data: data.count(b"\r\n\r\n") == 1)
    assert wired.say(GET) == OK * 3  # what comes unasked, comes
    wired.upstream.tell(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", 0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
    assert wired.say(GET + GET).split(b"\r\n\r\n")[-1] == b"2"


def test_a_client_that_has_said_all(wired: Wired) -> None:
    """It may shut its side, and is answered still."""
    wired.upstream.tell(0.2, OK)
    assert wired.say(GET, half_close=True) == OK


def test_a_client_that_waits_for_the_go_ahead(wired: Wired) -> None:
    """`Expect: 100-continue`: the body is sent after the word of the server behind."""
    assert isinstance(wired.server.place, int)
    head = b"POST /auth HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    wired.upstream.tell(b"HTTP/1.1 100 Continue\r\n\r\n", 0.2, OK)
    with socket.create_connection(("127.0.0.1", wired.server.place), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert exactly(connection, len(OK)) == OK


def test_a_client_that_goes_away_takes_the_other_end_with_it(wired: Wired) -> None:
    """No connection is left with the server behind."""
    assert isinstance(wired.server.place, int)
    wired.upstream.tell(OK, 0)
    with socket.create_connection(("127.0.0.1", wired.server.place), timeout=20) as connection:
        connection.sendall(GET)
        assert exactly(connection, len(OK)) == OK
    assert wired.upstream.gone.wait(10)


def test_no_answer_at_all(wired: Wired) -> None:
    """The server behind closes without a word, as docker_auth does where it panics: 502, and counted."""
    before = len(events(wired.server.folder, "shadow.upstream_failed"))
    wired.upstream.tell()
    back = wired.say(GET)
    assert back.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    wait_until("the event", lambda: len(events(wired.server.folder, "shadow.upstream_failed")) == before + 1)
    assert events(wired.server.folder, "shadow.upstream_failed")[-1]["why"] == "broken_off"


def test_probes(wired: Wired) -> None:
    """Answered by the shadow itself, also twice on a connection."""
    assert wired.server.ask("GET", "/healthz").body == b"ok\n"
    assert wired.server.ask("HEAD", "/healthz").body == b""
    assert wired.server.ask("GET", "/readyz").json() == {"upstream": True}
    assert isinstance(wired.server.place, int)
    with socket.create_connection(("127.0.0.1", wired.server.place), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        back = b""
        while back.count(b"ok\n") < 2:
            back += connection.recv(65_536)


def test_nobody_behind(tmp_path: Path) -> None:
    """502, said in the log; not ready; and the shadow stays."""
    port = free_port()
    init.make(tmp_path, (), Ports(free_port(), free_port(), free_port()))
    config = tmp_path / "wharfinger.yml"
    config.write_text(
        config.read_text() + f'shadow: {{upstream: "http://127.0.0.1:{free_port()}", addr: "127.0.0.1:{port}"}}\n'
    )
    server = shadow(tmp_path, config, port)
    answers = [server.ask("GET", "/auth"), server.ask("GET", "/auth?a b"[:6]), server.ask("GET", "/readyz")]
    assert [one.status for one in answers] == [502, 502, 503]
    assert answers[0].body == b"Bad gateway: docker_auth cannot be reached.\n"
    wait_until("both events", lambda: [one["why"] for one in events(tmp_path, "shadow.upstream_failed")] == ["unreachable"] * 2)
    assert server.program.stop() == 0


def test_stopping_while_somebody_waits(tmp_path: Path) -> None:
    """The answer that is under way still comes; connections that ask nothing do not hold it up."""
    port = free_port()
    init.make(tmp_path, (), Ports(free_port(), free_port(), free_port()))
    config = tmp_path / "wharfinger.yml"
    with scripted(free_port()) as behind:
        config.write_text(
            config.read_text() + f'shadow: {{upstream: "http://127.0.0.1:{behind.port}", addr: "127.0.0.1:{port}"}}\n'
        )
        server = shadow(tmp_path, config, port)
        behind.tell(1.0, OK)
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port), timeout=20) as asking:
            asking.sendall(GET)
            wait_until("the request", lambda: behind.heard == [GET])
            server.program.process.terminate()
            assert exactly(asking, len(OK)) == OK
        assert server.program.stop() == 0


def test_over_tls(tmp_path: Path) -> None:
    """Spoken with clients by the pair of the file, and with a docker_auth that has the same one."""
    port, behind = free_port(), free_port()
    init.make(tmp_path, ("localhost",), Ports(free_port(), free_port(), free_port()))
    config = tmp_path / "wharfinger.yml"
    config.write_text(config.read_text() + f'shadow: {{upstream: "https://localhost:{behind}", addr: "127.0.0.1:{port}"}}\n')
    upstream = DockerAuthLike(behind, Known({"": None}, []), pair=(tmp_path / "tls.crt", tmp_path / "tls.key"))
    server = shadow(tmp_path, config, port)
    trusting = ssl.create_default_context(cafile=tmp_path / "tls.crt")
    try:
        for status, path in ((200, "/readyz"), (200, "/auth?service=r"), (404, "/nothing"), (200, "/healthz")):
            connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)
            connection.request("GET", path)
            assert connection.getresponse().status == status
            connection.close()
    finally:
        assert server.program.stop() == 0
        upstream.shutdown()
        upstream.server_close()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "shadow is missing"),
        ('shadow: {upstream: "http://127.0.0.1:1/path"}', "paths go through as they are"),
        ('shadow: {upstream: "http://127.0.0.1:1", addr: "127.0.0.1:%d"}', "is taken by another program"),
    ],
)
def test_misconfigured(tmp_path: Path, line: str, problem: str) -> None:
    """Exit code 2, with what is wrong."""
    init.make(tmp_path, (), Ports(free_port(), free_port(), free_port()))
    config = tmp_path / "wharfinger.yml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(config.read_text() + line.replace("%d", str(taken.getsockname()[1])) + "\n")
        command = [sys.executable, "-m", "wharfinger.cli.main", "-c", str(config), "--data", str(tmp_path), "serve", "shadow"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert problem in ended.stderr


def test_too_slow() -> None:
    """504 after as long as any client waits; here with a short patience."""
    heard: list[Exchange] = []

    async def none_of_ours(_request: RequestHead, _peer: str) -> Own | None:
        return None

    async def ask(port: int) -> tuple[bytes, bytes]:
        relay = Relay(Upstream("127.0.0.1", port, None), none_of_ours, heard.append, answer_s=0.3)
        server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
        backs = []
        for steps in ([0], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0]):
            behind.tell(*steps)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(GET)
            backs.append(await reader.read())
            writer.close()
        server.close()
        return backs[0], backs[1]

    with scripted(free_port()) as behind:
        nothing, half = uvloop.run(ask(behind.port))
    assert nothing.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert half.endswith(b"\r\n\r\nhalf")
    assert [(one.status, one.failure) for one in heard] == [(0, "timeout")] * 2


# --- comparing


@dataclass
class Pair:
    """docker_auth, or what answers as it does, with a shadow in front."""

    folder: Path
    config: Path
    server: Server
    passwords: dict[str, str]
    behind: Program | DockerAuthLike
    heard: list[str] = field(default_factory=list)

    def basic(self, name: str, password: str = "") -> dict[str, str]:
        """Credentials; the right ones unless others are given."""
        text = f"{name}:{password or self.passwords[name]}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    def report(self) -> dict[str, Any]:
        """What `/shadow` tells."""
        return self.server.ask("GET", "/shadow").json()

    def counted(self, outcome: str) -> int:
        """How many requests came to that."""
        return int(self.report().get(outcome, 0))


THEIR_RULES: list[Rule] = [
    ("admin", "", ["*"]),
    ("hussein", "^ubuntu$", ["pull", "push"]),
    ("zoe", "^team/", ["pull"]),
    ("", "^public/", ["pull"]),
]
OUR_RULES = """acl:
  - match: {account: admin}
    actions: ["*"]
  - match: {account: hussein, name: ubuntu}
    actions: [pull]
  - match: {account: "", name: "public/*"}
    actions: [pull]
"""
NAMES = ("admin", "hussein", "zoe")


def their_file(folder: Path, port: int, hashes: Mapping[str, str]) -> Path:
    """docker_auth's own file, saying what the other one is told."""
    rules = [
        {"match": {"account": who, **({"name": f"/{name}/"} if name else {})}, "actions": list(actions)}
        for who, name, actions in THEIR_RULES
    ]
    users: dict[str, Any] = {name: {"password": hashed} for name, hashed in hashes.items()} | {"free": {}, "": {}}
    token = {
        "issuer": "wharfinger",
        "expiration": 900,
        "certificate": str(folder / "signing.crt"),
        "key": str(folder / "signing.key"),
    }
    made = folder / "auth_config.yml"
    made.write_text(json.dumps({"server": {"addr": f"127.0.0.1:{port}"}, "token": token, "users": users, "acl": rules}))
    return made


@pytest.fixture(scope="module", params=["alike", *(["itself"] if DOCKER_AUTH else [])])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Ours knows neither zoe nor pushes to ubuntu."""
    folder, behind, port = tmp_path_factory.mktemp("pair"), free_port(), free_port()
    init.make(folder, (), Ports(free_port(), free_port(), free_port()))
    passwords = {name: f"{name}-pa55word" for name in NAMES}
    hashes = {name: bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode() for name, word in passwords.items()}
    config = folder / "wharfinger.yml"
    text = config.read_text()
    users = json.dumps({name: {"password": hashes[name]} for name in NAMES if name != "zoe"} | {"free": {}, "": {}})
    text = (
        text[: text.index("users:")]
        + f'users: {users}\n{OUR_RULES}shadow: {{upstream: "http://127.0.0.1:{behind}", addr: "127.0.0.1:{port}"}}\n'
    )
    config.write_text(text)
    upstream: Program | DockerAuthLike
    if request.param == "itself":
        upstream = spawn(
            [DOCKER_AUTH, "--logtostderr", "--v=0", their_file(folder, behind, hashes)], folder / "docker_auth.log"
        )
        wait_until("docker_auth", lambda: _listens(behind))
    else:
        upstream = DockerAuthLike(behind, Known({**passwords, "free": None, "": None}, THEIR_RULES))
    server = shadow(folder, config, port)
    yield Pair(folder, config, server, passwords, upstream)
    server.program.stop()
    if isinstance(upstream, DockerAuthLike):
        upstream.shutdown()
        upstream.server_close()
    else:
        upstream.stop()


def asked_of(pair: Pair, outcome: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """Ask through the shadow, and wait until it was compared."""
    before = pair.counted(outcome)
    answer = pair.server.ask("GET" if body is None else "POST", target, headers, body)
    wait_until(f"{outcome} of {target}", lambda: pair.counted(outcome) > before)
    return answer


def found(pair: Pair) -> list[tuple[str, str, str, str, str, int | None]]:
    """The differences so far."""
    return [
        tuple(one[key] for key in ("what", "account", "scope", "theirs", "ours", "line"))
        for one in pair.report()["differences"]
    ]


@pytest.mark.parametrize(
    ("status", "who", "query"),
    [
        (200, "admin", "service=r&scope=repository:any/thing:pull,push"),
        (200, "hussein", "service=r&scope=repository:ubuntu:pull"),
        (200, "hussein", "service=r&scope=repository:payroll:pull,push"),
        (200, "hussein", "service=r&account=hussein&client_id=docker&offline_token=true"),
        (200, "", "service=r&scope=repository:public/a:pull,push"),
        (401, "hussein:wrong", "service=r"),
        (401, "nobody:x", "service=r"),
        (400, "hussein", "account=somebody"),
        (400, "hussein", "scope=repository:a"),
    ],
)
def test_where_we_would_answer_the_same(pair: Pair, status: int, who: str, query: str) -> None:
    """Tokens, refusals and faults: nothing is reported."""
    before = found(pair)
    name, _, password = who.partition(":")
    answer = asked_of(pair, "same", f"/auth?{query}", pair.basic(name, password) if name else {})
    assert answer.status == status
    assert found(pair) == before


def test_the_same_by_a_form(pair: Pair) -> None:
    """A POST, at the other path."""
    body = urlencode(
        {"username": "hussein", "password": pair.passwords["hussein"], "service": "r", "scope": "repository:ubuntu:pull"}
    )
    assert asked_of(pair, "same", "/auth/token", FORM, body.encode()).access() == ["repository:ubuntu:pull"]


@pytest.mark.parametrize(
    ("difference", "why", "who", "query"),
    [
        (
            ("access", "hussein", "repository:ubuntu", "pull,push", "pull", "hussein"),
            "rule 2 (line LINE) matches by account, name and allows pull; asked was pull, push",
            "hussein", "service=r&scope=repository:ubuntu:push,pull",
        ),
        (("status", "zoe", "", "token", "denied", ""), "unknown_account", "zoe", "service=r&scope=repository:team/a:pull"),
        (("account", "free", "", "free", "", ""), "the token would be for another", "", "service=r&account=free"),
        (
            ("status", "hussein", "", "token", "bad_request", ""),
            "invalid scope: an empty scope", "hussein", "service=r&scope=&scope=repository:ubuntu:pull",
        ),
    ],
)  # fmt: skip
def test_where_we_would_not(pair: Pair, difference: tuple[str, ...], why: str, who: str, query: str) -> None:
    """The client has docker_auth's answer; the log and the report have both, with the rule that decides here and why."""
    assert asked_of(pair, "differs", f"/auth?{query}", pair.basic(who) if who else {}).status == 200
    line = next(at for at, text in enumerate(pair.config.read_text().splitlines(), 1) if "account: hussein" in text)
    *expected, ruled = difference
    wanted = (*expected, line if ruled else None)
    assert wanted in found(pair)
    logged = events(pair.folder, "shadow.differs")
    (event,) = [
        one for one in logged if tuple(one[key] for key in ("what", "account", "scope", "theirs", "ours", "line")) == wanted
    ]
    assert event["why"] == why.replace("LINE", str(line))


def test_what_is_repeated_is_counted(pair: Pair) -> None:
    """One difference, one line; and each password is compared by bcrypt once."""
    before = scrape_of(pair)
    lines = len(events(pair.folder, "shadow.differs"))
    for _ in range(5):
        asked_of(pair, "differs", "/auth?service=r&scope=repository:ubuntu:delete,push", pair.basic("hussein"))
    (one,) = [one for one in pair.report()["differences"] if (one["theirs"], one["ours"]) == ("push", "")]
    assert one["count"] == 5
    assert one["last"] >= one["first"]
    assert len(events(pair.folder, "shadow.differs")) == lines + 1
    after = scrape_of(pair)
    name = "wharfinger_auth_passwords_total"
    assert after[name][("by", "bcrypt"),] == before[name][("by", "bcrypt"),]
    assert after[name][("by", "memory"),] - before[name][("by", "memory"),] == 5


def scrape_of(pair: Pair) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Its metrics."""
    assert isinstance(pair.server.place, int)
    return scrape(pair.server.place)


def test_counters(pair: Pair) -> None:
    """In Prometheus' form; they add up to what the report counts."""
    asked_of(pair, "not_a_token", "/nothing", {})
    metrics, report = scrape_of(pair), pair.report()
    counted = {dict(labels)["outcome"]: value for labels, value in metrics["wharfinger_shadow_requests_total"].items()}
    assert counted == {outcome: report.get(outcome, 0) for outcome in counted}
    by_kind = {dict(labels)["what"]: value for labels, value in metrics["wharfinger_shadow_differences_total"].items()}
    assert sum(by_kind.values()) == sum(one["count"] for one in report["differences"])
    assert metrics["wharfinger_shadow_upstream_seconds_count"][()] == sum(counted.values())


def test_the_report_is_for_this_machine(pair: Pair) -> None:
    """It names accounts: what came through a proxy goes to docker_auth, which knows no such path."""
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"):
        assert pair.server.ask("GET", "/shadow", {header: "127.0.0.1"}).status == 404
    assert pair.server.ask("POST", "/shadow", FORM, b"").status == 404


def test_an_unknown_name_is_not_told(pair: Pair) -> None:
    """Whoever was not let in by either may have typed a password there."""
    asked_of(pair, "same", "/auth", pair.basic("typed-pa55word", "x"))
    shown = json.dumps(pair.report()) + (pair.folder / "shadow.log").read_text()
    assert "typed-pa55word" not in shown
    assert [
        word for word in pair.passwords.values() if word in shown or base64.b64encode(word.encode()).decode() in shown
    ] == []
    assert "eyJ" not in shown


def test_a_new_file(pair: Pair) -> None:
    """On SIGHUP the summary is logged, the file read anew and a new report begun; a faulty file changes nothing."""
    good, counts = pair.config.read_text(), pair.report()
    pair.config.write_text(good + "nonsense: [")
    pair.server.program.process.send_signal(signal.SIGHUP)
    wait_until("the fault", lambda: events(pair.folder, "configuration.kept"))
    assert pair.report()["policy"] == counts["policy"]
    pair.config.write_text(good.replace("    actions: [pull]\n", "    actions: [pull, push]\n", 1))
    pair.server.program.process.send_signal(signal.SIGHUP)
    wait_until("the new file", lambda: events(pair.folder, "configuration.reloaded"))
    summary = events(pair.folder, "shadow.summary")[0]
    assert {key: summary[key] for key in ("same", "differs", "distinct", "policy")} == {
        "same": counts["same"], "differs": counts["differs"], "distinct": len(counts["differences"]), "policy": counts["policy"],
    }  # fmt: skip
    assert pair.report()["policy"] != counts["policy"]
    assert pair.report()["differences"] == []
    asked_of(pair, "same", "/auth?service=r&scope=repository:ubuntu:push,pull", pair.basic("hussein"))
    pair.config.write_text(good)


def test_stopping(pair: Pair) -> None:
    """The last event is the summary."""
    asked_of(pair, "same", "/auth", pair.basic("admin"))
    assert pair.server.program.stop() == 0
    lines = [json.loads(line) for line in (pair.folder / "shadow.log").read_text().splitlines()]
    assert lines[-1]["event"] == "shadow.summary"
    assert lines[-1]["same"] >= 1


# --- real clients


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Server]]:
    """Everything, with a shadow between the clients and the token service, by the same file."""
    folder, port = tmp_path_factory.mktemp("shadowed"), free_port()

    def edit(text: str) -> str:
        auth = text[text.index("server:") :].split('addr: "', 1)[1].split('"', 1)[0]
        registry = folder / "registry.yml"
        registry.write_text(registry.read_text().replace(f"http://{auth}/auth", f"http://127.0.0.1:{port}/auth"))
        return text + f'shadow: {{upstream: "http://{auth}", addr: "127.0.0.1:{port}"}}\n'

    house = build_house(folder, edit=edit)
    server = shadow(folder, folder / "wharfinger.yml", port)
    wait_until("the shadow", lambda: listening(server))
    yield house, server
    assert server.program.stop() == 0
    assert house.program.stop() == 0
    house.registry_program.stop()


def test_clients_do_not_notice(shadowed: tuple[House, Server], engine: Engine, tmp_path: Path) -> None:
    """Skopeo and docker log in, push and pull through it; each request was compared, and none differs."""
    house, server = shadowed
    source, image = f"oci:{layout(tmp_path / 'oci', make_image(os.urandom(32)))}:v1", f"docker://{house.registry}/team/one:v1"
    done(skopeo("copy", "--dest-tls-verify=false", "--dest-creds", creds(house), source, image))
    done(skopeo("copy", "--src-tls-verify=false", "--src-creds", creds(house), image, f"dir:{tmp_path / 'pulled'}"))
    assert skopeo("copy", "--dest-tls-verify=false", "--dest-creds", "hussein:wrong", source, image).returncode != 0
    done(engine.docker("login", "-u", "hussein", "-p", house.password("hussein"), house.registry, check=False))
    engine.docker("import", str(root_filesystem(tmp_path)), f"{house.registry}/team/two:v1")
    done(engine.docker("push", f"{house.registry}/team/two:v1", check=False))
    engine.docker("rmi", f"{house.registry}/team/two:v1")
    done(engine.docker("pull", f"{house.registry}/team/two:v1", check=False))
    engine.docker("logout", house.registry)
    asked = len([1 for line in (house.folder / "up.log").read_text().splitlines() if '"token.' in line])
    report = wait_until("the comparisons", lambda: (one := server.ask("GET", "/shadow").json()).get("same", 0) >= asked and one)
    assert asked >= 6
    assert {outcome: report.get(outcome, 0) for outcome in ("differs", "not_compared", "upstream_failed")} == {
        "differs": 0, "not_compared": 0, "upstream_failed": 0,
    }  # fmt: skip
    assert house.traced("team/one:v1", lambda one: one.issuances).issuances[0].client_addr == "127.0.0.1"
