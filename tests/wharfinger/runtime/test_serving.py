"""Serving: limits, TLS, and on real sockets how a service starts, why it does not, and how it stops."""

import http.client
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from tests.real.conftest import Program, free_port, spawn, wait_until
from tests.servers import served
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.runtime.connections import MAX_LINE
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.serving import storable, tls_context
from wharfinger.runtime.settings import TlsPair, TlsSettings


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("docker/28", "docker/28"),
        ("", ""),
        ("x" * 30, "x" * 10),
        ("zoë ☃", "zoë ☃"),
        (b"a\xffb\xc3".decode("utf-8", "surrogateescape"), "a\ufffdb\ufffd"),
        (("x" * 9 + "☃☃"), "x" * 9 + "☃"),
    ],
)
def test_what_records_may_hold(text: str, kept: str) -> None:
    """A header's text, cut; what is no text in it is replaced, for no record and no log could hold it."""
    found = storable(text, limit=10)
    assert found == kept
    found.encode()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsPair:
    """A key and a certificate that fits."""
    folder = tmp_path_factory.mktemp("pair")
    key = new_key()
    (folder / "key").write_bytes(key)
    (folder / "crt").write_bytes(new_certificate(key, ["localhost"], now=datetime.now(UTC)))
    return TlsPair(folder / "crt", folder / "key")


def test_plain_http() -> None:
    """Without a pair there is no TLS."""
    assert tls_context(None) is None


def test_a_pair_that_fits(pair: TlsPair) -> None:
    """Nothing older than TLS 1.2 is spoken, and no certificate is asked of clients."""
    context = tls_context(TlsSettings(pair))
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE


def test_pairs_that_do_not(pair: TlsPair, tmp_path: Path) -> None:
    """The setting and the files are named."""
    (tmp_path / "other").write_bytes(new_key())
    (tmp_path / "junk").write_text("junk")
    for certificate, key in (
        (pair.certificate, tmp_path / "other"),
        (tmp_path / "junk", pair.key),
        (pair.certificate, tmp_path / "junk"),
        (tmp_path / "none", pair.key),
    ):
        with pytest.raises(Misconfigured, match=r"server\.certificate .* and server\.key"):
            tls_context(TlsSettings(TlsPair(certificate, key)))


SERVICE = """
import asyncio, sys
from aiohttp import web
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.log import to_stderr
from wharfinger.runtime.serving import run
from wharfinger.runtime.settings import Address

async def slow(request):
    print("asked", flush=True)
    await asyncio.sleep(0.5)
    return web.Response(text="done")

async def life(app):
    print("started", flush=True)
    yield
    print("cleaned", flush=True)

def make():
    kind = sys.argv[3]
    if kind == "misconfigured":
        raise Misconfigured("the setting x is wrong")
    if kind == "unavailable":
        raise Unavailable("y does not answer")
    app = web.Application()
    app.add_routes([web.get("/slow", slow), web.get("/", lambda r: web.Response(text="ok"))])
    app.cleanup_ctx.append(life)
    return app

sys.exit(run(make, listen=Address(sys.argv[1], int(sys.argv[2])), setting="x.addr", tls=None, log=to_stderr("test"), grace_s=5))
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts a service of our own kind in a process of its own."""
    (tmp_path / "service.py").write_text(SERVICE)
    started: list[Program] = []

    def start(port: int, kind: str = "", host: str = "127.0.0.1") -> Program:
        program = spawn(
            [sys.executable, tmp_path / "service.py", host, str(port), kind],
            tmp_path / f"{port}.log",
            env={"PYTHONPATH": str(Path.cwd())},
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.stop()


def listens(program: Program) -> None:
    """Wait until it does."""
    wait_until("the service", lambda: "service.listening" in program.log.read_text())


def get(port: int, path: str = "/", headers: dict[str, str] | None = None) -> int:
    """The status of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order(service: Callable[..., Program], number: signal.Signals) -> None:
    """A request that runs is answered, then the application cleans up; the exit code is 0."""
    port = free_port()
    program = service(port)
    listens(program)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/slow")
    wait_until("the request", lambda: "asked" in program.log.read_text())
    os.kill(program.process.pid, number)
    assert connection.getresponse().read() == b"done"
    connection.close()
    assert program.process.wait(20) == 0
    assert program.log.read_text().rstrip().endswith("cleaned")
    assert "service.stopping" in program.log.read_text()


@pytest.mark.real
def test_a_port_that_is_taken(service: Callable[..., Program]) -> None:
    """The setting is named, and the code says that starting again is of no use; what was started is cleaned up."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        program = service(other.getsockname()[1])
        assert program.process.wait(20) == 2
    log = program.log.read_text()
    assert "service.misconfigured" in log
    assert "x.addr: 127.0.0.1:" in log
    assert "is taken by another program" in log
    assert "cleaned" in log


@pytest.mark.real
@pytest.mark.parametrize("host", ["192.0.2.1", "does-not-resolve.invalid", "a..b", "x" * 100])
def test_an_address_that_is_not_ours(service: Callable[..., Program], host: str) -> None:
    """The same."""
    program = service(free_port(), host=host)
    assert program.process.wait(20) == 2
    assert "x.addr: cannot listen on" in program.log.read_text()


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "code", "problem"), [("misconfigured", 2, "the setting x is wrong"), ("unavailable", 3, "y does not answer")]
)
def test_an_application_that_cannot_be_made(service: Callable[..., Program], kind: str, code: int, problem: str) -> None:
    """Whether starting again may help is in the exit code; why, in one line."""
    program = service(free_port(), kind)
    assert program.process.wait(20) == code
    assert problem in program.log.read_text()
    assert "Traceback" not in program.log.read_text()


@pytest.mark.real
def test_long_lines(service: Callable[..., Program]) -> None:
    """A header or a request line with a CI's token fits; one without end does not."""
    port = free_port()
    listens(service(port))
    assert get(port, "/?" + "x" * (MAX_LINE - 100)) == 200
    assert get(port, headers={"X": "y" * (MAX_LINE - 100)}) == 200
    assert get(port, "/?" + "x" * (MAX_LINE + 100)) == 400
    assert get(port, headers={"X": "y" * (MAX_LINE + 100)}) == 400


@pytest.mark.real
async def test_faults_are_events() -> None:
    """One of ours with its kind and place; a client's own by its kind. What was sent, and what a fault says, is in neither."""
    logged: list[tuple[str, dict[str, object]]] = []

    async def broken(_http: web.Request) -> web.Response:
        raise ValueError("s3cret")

    app = web.Application()
    app.add_routes([web.get("/", broken)])
    async with served(app, lambda event, /, **fields: logged.append((event, fields))) as at:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        ours = await at.raw(head + b"\r\n")
        theirs = await at.raw(head + b"Authorization: Basic s3cret\x01\r\n\r\n")
    assert (ours.split()[1], theirs.split()[1]) == (b"500", b"400")
    assert [(event, fields["error"]) for event, fields in logged] == [
        ("request.failed", "ValueError"), ("request.malformed", "BadHttpMessage"),
    ]  # fmt: skip
    assert str(logged[0][1]["file"]).endswith("test_serving.py")
    assert "s3cret" not in repr(logged)
    assert b"s3cret" not in ours
