"""The token service's HTTP, asked as clients ask, against real processes: routes, forms, scopes, answers."""

import base64
import http.client
import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.real.conftest import Program, free_port, spawn, wait_until
from wharfinger.cli import init
from wharfinger.cli.templates import Ports
from wharfinger.runtime import embedded

pytestmark = pytest.mark.real

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HSTS = "max-age=63072000; includeSubDomains"
RULES = """acl:
  - match: {account: hussein, name: "/^(ubuntu|host:5000/app|team/.+)$/"}
    actions: [pull, push]
  - match: {type: registry, name: catalog, account: admin}
    actions: ["*"]
  - match: {ip: 10.0.0.0/8, name: inner}
    actions: [pull]
  - match: {account: "", name: "public/*"}
    actions: [pull]
old:
"""


@dataclass(frozen=True)
class Answer:
    """An answer as a client reads it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Its JSON."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def claims(self) -> dict[str, Any]:
        """The token's."""
        payload = self.json()["token"].split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert isinstance(found, dict)
        return found

    def access(self) -> list[str]:
        """What it grants, entry by entry."""
        return [f"{one['type']}:{one['name']}:{','.join(one['actions'])}" for one in self.claims()["access"]]


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


@dataclass
class Server:
    """A running token service."""

    place: int | Path
    prefix: str
    program: Program
    folder: Path

    def ask(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        at = self.place
        connection = http.client.HTTPConnection("127.0.0.1", at, timeout=10) if isinstance(at, int) else _UnixConnection(at)
        try:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def basic(self, name: str, password: str | None = None) -> dict[str, str]:
        """Basic credentials; the right ones unless another password is given."""
        if password is None:
            password = dict(line.split() for line in (self.folder / "passwords.txt").read_text().splitlines())[name]
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}

    def form(self, name: str, **fields: str) -> bytes:
        """An OAuth2 form with a user's credentials."""
        password = dict(line.split() for line in (self.folder / "passwords.txt").read_text().splitlines())[name]
        return urlencode({"username": name, "password": password, **fields}).encode()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Three services on one store: with defaults, behind a proxy under a prefix, and on a unix socket."""
    folder = tmp_path_factory.mktemp("http")
    init.make(folder, (), Ports(free_port(), free_port(), free_port()))
    text = (folder / "wharfinger.yml").read_text()
    text = text.replace("users:  ", 'users:\n  "": {}\n  free: {}\n#').replace("acl:  ", RULES + "#")
    text = text.replace(text[text.index("old:") : text.index("notifier:")], "")
    kinds: dict[str, tuple[int | Path, str, str]] = {
        "plain": (free_port(), "", ""),
        "behind": (free_port(), "/tokens", "path_prefix: /tokens, hsts: true, real_ip_header: X-Real-Ip, real_ip_pos: -1, "),
        "unix": (folder / "auth.sock", "", "net: unix, "),
    }
    running = embedded.start(folder)
    started: dict[str, Server] = {}
    try:
        for name, (place, prefix, options) in kinds.items():
            addr = place if isinstance(place, Path) else f"127.0.0.1:{place}"
            server = f'server: {{addr: "{addr}", {options}processes: 1}}\n'
            file = folder / f"{name}.yml"
            file.write_text(re.sub(r"server:\n(  .*\n)+", server, text))
            command: list[str | Path] = [
                sys.executable,
                "-m",
                "wharfinger.cli.main",
                "-c",
                file,
                "--data",
                folder,
                "serve",
                "auth",
            ]
            started[name] = Server(place, prefix, spawn(command, folder / f"{name}.log"), folder)
        for server_ in started.values():
            wait_until(f"{server_.place}", lambda server=server_: listening(server))  # type: ignore[misc]  # binds now
        yield started
    finally:
        codes = [one.program.stop() for one in started.values()]
        running.stop()
    assert codes == [0] * len(kinds)


def listening(server: Server) -> bool:
    """Whether it answers."""
    try:
        return server.ask("GET", "/readyz").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def plain(servers: dict[str, Server]) -> Server:
    """The one with defaults."""
    return servers["plain"]


FROM = {"X-Real-Ip": "192.0.2.1"}


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (200, "GET", "/tokens/auth?service=r"),
        (200, "GET", "/tokens/auth/token?service=r"),
        (200, "POST", "/tokens/auth"),
        (200, "POST", "/tokens/auth/token"),
        (404, "GET", "/auth"),
        (404, "GET", "/tokens/auth/"),
        (404, "GET", "/tokens/auth/token/"),
        (404, "GET", "/tokens"),
        (404, "GET", "/tokens/AUTH"),
        (404, "GET", "/tokens/google_auth"),
        (404, "GET", "//tokens/auth"),
        (404, "GET", "/"),
        (404, "PATCH", "/nothing/here"),
        (200, "GET", "/tokens/"),
        (200, "HEAD", "/tokens/"),
        (200, "GET", "/tokens/.well-known/jwks.json"),
        (200, "GET", "/healthz"),
        (200, "GET", "/readyz"),
        (200, "GET", "/metrics"),
        (405, "HEAD", "/tokens/auth"),
        (405, "PUT", "/tokens/auth"),
        (405, "DELETE", "/tokens/auth/token"),
        (405, "OPTIONS", "/tokens/auth"),
        (405, "PATCH", "/tokens/auth"),
        (405, "POST", "/tokens/"),
        (405, "POST", "/healthz"),
    ],
)
def test_routes_under_a_prefix(servers: dict[str, Server], status: int, method: str, path: str) -> None:
    """Exactly these; every answer has HSTS where asked for, and what is not answered mints nothing."""
    answer = servers["behind"].ask(method, path, FROM)
    assert status == answer.status
    assert answer.headers["strict-transport-security"] == HSTS
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("allow" in answer.headers) == (status == 405)
    if status != 200 or method == "HEAD":
        assert b"token" not in answer.body


def test_no_hsts_unless_asked_for(plain: Server) -> None:
    """The default."""
    assert "strict-transport-security" not in plain.ask("GET", "/auth").headers


@pytest.mark.parametrize(
    ("granted", "query"),
    [
        ([], ""),
        ([], "scope="),
        (["repository:ubuntu:pull,push"], "scope=repository:ubuntu:push,pull"),
        (["repository:ubuntu:pull,push", "repository:ubuntu:pull"], "scope=repository:ubuntu:push,pull&scope=repository:ubuntu:pull"),
        (["repository:ubuntu:pull", "repository:team/a:push"], "scope=repository:ubuntu:pull+repository:team/a:push"),
        (["repository:ubuntu:pull", "repository:team/a:push"], "scope=repository:ubuntu:pull%20repository:team/a:push"),
        (["repository:team/a:pull", "repository:ubuntu:pull"], "scope=repository:team/a:pull&scope=repository:ubuntu:pull"),
        (["repository:host:5000/app:pull,push"], "scope=repository:host:5000/app:pull,push"),
        (["repository:ubuntu:pull"], "scope=repository(plugin):ubuntu:pull"),
        (["repository:ubuntu:pull"], "scope=repository:ubuntu:pull,pull,delete"),
        (["repository:ubuntu:"], "scope=repository:ubuntu:delete"),
        (["repository:payroll:"], "scope=repository:payroll:pull,push"),
        (["repository:payroll:", "repository:ubuntu:pull"], "scope=repository:payroll:pull&scope=repository:ubuntu:pull"),
        (["registry:catalog:"], "scope=registry:catalog:*"),
        (["repository:ubuntu:"], "scope=repository:ubuntu:"),
    ],
)  # fmt: skip
def test_scopes(plain: Server, granted: list[str], query: str) -> None:
    """In the request's order, repetitions kept; what is denied is 200 with fewer actions."""
    answer = plain.ask("GET", f"/auth?service=registry&{query}", plain.basic("hussein"))
    assert (answer.status, granted) == (200, answer.access())


def test_the_star_of_the_catalog(plain: Server) -> None:
    """Granted to whom it is allowed."""
    answer = plain.ask("GET", "/auth?service=r&scope=registry:catalog:*", plain.basic("admin"))
    assert answer.access() == ["registry:catalog:*"]


@pytest.mark.parametrize(
    ("status", "code", "query"),
    [
        (400, "invalid_scope", "scope=repository:ubuntu"),
        (400, "invalid_scope", "scope=repository:a:b:c:pull"),
        (400, "invalid_scope", "scope=repository:ubuntu:pull+"),
        (400, "invalid_scope", "scope=repository:ubuntu:pull&scope="),
        (400, "invalid_scope", "scope=&scope=repository:ubuntu:pull"),
        (400, "invalid_scope", "scope=Repo-x:ubuntu:pull"),
        (400, "invalid_request", "account=somebody-else"),
        (400, "invalid_request", "service=%00"),
    ],
)
def test_what_cannot_be_read(plain: Server, status: int, code: str, query: str) -> None:
    """400 in text to a GET, in OAuth2's words to a POST, and never a repetition of what was sent."""
    got = plain.ask("GET", f"/auth?{query}", plain.basic("hussein"))
    posted = plain.ask("POST", "/auth", plain.basic("hussein") | FORM, query.encode())
    assert (got.status, posted.status) == (status, status)
    assert got.body.startswith(b"Bad request: ")
    assert posted.json()["error"] == code
    assert not any(word in answer.body for word in (b"ubuntu", b"somebody") for answer in (got, posted))


def test_a_docker_answer(plain: Server) -> None:
    """Both names of the token, how long it lasts, and since when."""
    answer = plain.ask(
        "GET", "/auth?service=registry&account=hussein&offline_token=true&client_id=docker", plain.basic("hussein")
    )
    body = answer.json()
    assert set(body) == {"token", "access_token", "expires_in", "issued_at"}
    assert (body["token"], body["expires_in"]) == (body["access_token"], 900)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["issued_at"])
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    claims = answer.claims()
    assert (claims["iss"], claims["aud"], claims["access"]) == ("wharfinger", "registry", [])
    assert (claims["exp"] - claims["iat"], claims["iat"] - claims["nbf"]) == (900, 10)
    assert claims["sub"] == f"hussein#{claims['jti']}"


def test_an_oauth_answer(plain: Server) -> None:
    """The granted scope too, which a POST must be told; what is not granted is not in it."""
    fields = {"grant_type": "password", "service": "registry", "client_id": "containerd-client"}
    scope = "repository:ubuntu:pull,push repository:payroll:pull"
    answer = plain.ask(
        "POST",
        "/auth",
        {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"},
        plain.form("hussein", **fields, scope=scope),
    )
    body = answer.json()
    assert (body["scope"], body["expires_in"], body["token_type"]) == ("repository:ubuntu:pull,push", 900, "Bearer")
    assert set(body) == {"token", "access_token", "expires_in", "issued_at", "scope", "token_type"}
    assert answer.access() == ["repository:ubuntu:pull,push", "repository:payroll:"]


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        ("unsupported_grant_type", {"grant_type": "refresh_token", "service": "r", "client_id": "c", "refresh_token": "x"}),
        ("unsupported_grant_type", {"grant_type": "authorization_code", "service": "r", "client_id": "c", "code": "x"}),
        ("invalid_request", {"grant_type": "password", "client_id": "c", "username": "hussein", "password": "x"}),
        ("invalid_request", {"grant_type": "password", "service": "r", "username": "hussein", "password": "x"}),
        ("invalid_request", {"grant_type": "password", "service": "r", "client_id": "c", "username": "hussein"}),
        ("invalid_request", {"grant_type": "password", "service": "r", "client_id": "c"}),
    ],
)
def test_an_oauth_form_that_lacks_something(plain: Server, error: str, fields: dict[str, str]) -> None:
    """400 in OAuth2's words: containerd tries GET after it."""
    answer = plain.ask("POST", "/auth", FORM, urlencode(fields).encode())
    assert (answer.status, answer.json()["error"]) == (400, error)


def test_a_post_without_a_grant_type(plain: Server) -> None:
    """Answered as docker_auth does, with credentials of the form, and the form before the query."""
    body = plain.form("hussein", service="body", scope="repository:team/b:pull")
    answer = plain.ask("POST", "/auth?service=query&scope=repository:team/q:pull", FORM, body)
    assert set(answer.json()) == {"token", "access_token", "expires_in", "issued_at"}
    assert (answer.claims()["aud"], answer.access()) == ("body", ["repository:team/b:pull", "repository:team/q:pull"])
    repeated = plain.ask(
        "POST", "/auth", FORM, plain.form("hussein") + b"&scope=repository:team/a:pull&scope=repository:team/b:push"
    )
    assert repeated.access() == ["repository:team/a:pull", "repository:team/b:push"]


def test_credentials_in_the_query_of_a_post(plain: Server) -> None:
    """As Go's FormValue has them; in a GET they are nothing."""
    query = plain.form("hussein", scope="repository:ubuntu:pull").decode()
    assert plain.ask("POST", f"/auth?{query}", FORM).access() == ["repository:ubuntu:pull"]
    assert plain.ask("GET", f"/auth?{query}").access() == ["repository:ubuntu:"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_a_body_that_is_no_form(plain: Server, kind: str) -> None:
    """It is not read: the client is anonymous."""
    answer = plain.ask("POST", "/auth?scope=repository:ubuntu:pull", {"Content-Type": kind}, plain.form("hussein"))
    assert (answer.status, answer.access(), answer.claims()["sub"][0]) == (200, ["repository:ubuntu:"], "#")


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer abc",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Digest username=hussein",
        "Basic aHVz c2Vpbg==",
    ],
)
def test_what_is_no_basic_is_anonymous(plain: Server, authorization: str) -> None:
    """As docker_auth has it."""
    answer = plain.ask("GET", "/auth?scope=repository:public/a:pull,push", {"Authorization": authorization})
    assert (answer.status, answer.access()) == (200, ["repository:public/a:pull"])


@pytest.mark.parametrize(
    ("account", "password"),
    [("hussein", "wrong"), ("hussein", ""), ("nobody", "x"), ("HUSSEIN", "x"), ("hus\udcffsein", "x"), ("", "x:y:z" * 4_000)],
)
def test_wrong_credentials(plain: Server, account: str, password: str) -> None:
    """401 with the realm, whoever it is; never 403, and never the anonymous client's token."""
    credentials = base64.b64encode(f"{account}:{password}".encode("utf-8", "surrogateescape")).decode()
    answer = plain.ask("GET", "/auth?service=r&scope=repository:public/a:pull", {"Authorization": f"Basic {credentials}"})
    if account:
        assert (answer.status, answer.body) == (401, b"Auth failed.\n")
        assert answer.headers["www-authenticate"] == 'Basic realm="wharfinger"'
    else:
        assert answer.claims()["sub"].startswith("#")  # the anonymous user has any password


def test_a_user_without_a_password(plain: Server) -> None:
    """Any one is right, also none; but naming it without credentials is no way in."""
    for password in ("", "anything"):
        assert plain.ask("GET", "/auth?account=free", plain.basic("free", password)).claims()["sub"].startswith("free#")
    assert plain.ask("GET", "/auth?account=free").claims()["sub"].startswith("#")


def test_anonymous(plain: Server) -> None:
    """Configured here, so a request without credentials has a token, with what anonymous clients may."""
    answer = plain.ask("GET", "/auth?service=r&scope=repository:public/a:pull,push&scope=repository:ubuntu:pull")
    assert (answer.status, answer.access()) == (200, ["repository:public/a:pull", "repository:ubuntu:"])


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (["repository:inner:pull"], {"X-Real-Ip": "10.1.2.3"}),
        (["repository:inner:pull"], {"X-Real-Ip": "192.0.2.1, ::ffff:10.1.2.3"}),
        (["repository:inner:pull"], {"X-Real-Ip": "10.1.2.3:4711"}),
        (["repository:inner:"], {"X-Real-Ip": "10.1.2.3, 192.0.2.1"}),
        (["repository:inner:"], {"X-Real-Ip": "[2001:db8::1]:4711"}),
        (400, {"X-Real-Ip": "unknown"}),
        (400, {"X-Real-Ip": ""}),
        (400, {"X-Real-Ip": "fe80::1%eth0"}),
        (400, {"X-Forwarded-For": "10.1.2.3"}),
    ],
)
def test_the_address_a_proxy_tells(servers: dict[str, Server], expected: object, headers: dict[str, str]) -> None:
    """The last entry is what the proxy beside us saw; without an address nobody is let in by one."""
    answer = servers["behind"].ask("GET", "/tokens/auth?scope=repository:inner:pull", headers)
    assert expected == (answer.access() if answer.status == 200 else answer.status)
    if answer.status == 400:
        assert answer.body == b"Bad request: client address not provided\n"


def test_a_unix_socket(servers: dict[str, Server]) -> None:
    """Served there; a peer without an address meets no condition on one."""
    unix = servers["unix"]
    answer = unix.ask("GET", "/auth?service=r&scope=repository:ubuntu:pull&scope=repository:inner:pull", unix.basic("hussein"))
    assert (answer.status, answer.access()) == (200, ["repository:ubuntu:pull", "repository:inner:"])


def test_who_this_is(servers: dict[str, Server]) -> None:
    """The index names the issuer, the key set every key under each id, and readiness each thing beside us."""
    assert servers["behind"].ask("GET", "/tokens/").body == b"wharfinger\n"
    keys = servers["behind"].ask("GET", "/tokens/.well-known/jwks.json")
    assert keys.headers["cache-control"] == "max-age=300"
    assert len({key["kid"] for key in keys.json()["keys"]}) == 3
    assert servers["plain"].ask("GET", "/readyz").json() == {"redis": True}


def test_two_requests_on_one_connection(plain: Server) -> None:
    """Kept alive after an answer of any kind."""
    assert isinstance(plain.place, int)
    connection = http.client.HTTPConnection("127.0.0.1", plain.place, timeout=10)
    statuses = []
    for method, path in (
        ("GET", "/auth"),
        ("PUT", "/auth"),
        ("GET", "/nothing"),
        ("POST", "/auth"),
        ("HEAD", "/auth"),
        ("GET", "/auth"),
    ):
        connection.request(method, path, os.urandom(100) if method in {"PUT", "POST"} else None)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [200, 405, 404, 200, 405, 200]
