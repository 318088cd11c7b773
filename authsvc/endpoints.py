"""HTTP of the token service: requests to values, values to answers. Decides no access.

Clients never see 403; less access is 200 with fewer actions. Error texts never repeat what was sent.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from authsvc.decide.client_address import client_address
from authsvc.decide.request import FORM_TYPE, MAX_FORM, MAX_TEXT, BadRequest, TokenRequest, read_get, read_post
from authsvc.errors import Unavailable
from authsvc.issue import Client, Denied, Issue, Issued
from authsvc.metrics import BACKOFF_SECONDS, KEY_EXPIRY, POLICY, REFUSALS, REQUEST_SECONDS, REQUESTS
from authsvc.ports import Ping
from wharfinger.runtime.direct import Answering, Reply
from wharfinger.runtime.log import Log, place_of
from wharfinger.runtime.metrics import CONTENT_TYPE, Meter, Told
from wharfinger.runtime.plain import PlainGet
from wharfinger.runtime.serving import storable
from wharfinger.runtime.settings import ServerSettings
from wharfinger.wire.codec import encode

PATHS: Final = ("/auth", "/auth/token")
"""The second is the one that registries with autoredirect name."""
BODY_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 1
HSTS: Final = "max-age=63072000; includeSubDomains"
MAX_ADDRESS: Final = 64
"""Characters kept of what a header claims to be an address."""
_NOT_KEPT: Final = ("Cache-Control", "no-store")
_NOT_SNIFFED: Final = ("X-Content-Type-Options", "nosniff")
_JSON: Final = ("Content-Type", "application/json; charset=utf-8")
_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_ISSUED: Final = (("Content-Type", "application/json"), _NOT_KEPT)

_READ: Final = ("GET", "HEAD")

Fields = Mapping[str, Sequence[str]]
"""A request's headers: values by name in small letters."""
Answer = Callable[[web.Request], Awaitable[Reply]]


@dataclass(slots=True)
class Serving:
    """What requests are answered with now: replaced when the configuration was read anew."""

    issue: Issue
    server: ServerSettings
    key_set: Mapping[str, object]


class Endpoints:
    """The routes of one token service."""

    def __init__(
        self,
        serving: Serving,
        *,
        pings: Mapping[str, Ping],
        meter: Meter,
        log: Log,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._serving = serving
        self._always = (_NOT_SNIFFED, ("Strict-Transport-Security", HSTS)) if serving.server.hsts else (_NOT_SNIFFED,)
        self._pings = pings
        self._meter = meter
        self._log = log
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[web.RouteDef]:
        """Every route, with the methods it knows; whatever else is asked is told so. HEAD mints nothing."""
        prefix = self._serving.server.path_prefix
        known: dict[str, tuple[tuple[str, ...], Answer]] = {
            **{prefix + path: (("GET", "POST"), self.token) for path in PATHS},
            f"{prefix}/.well-known/jwks.json": (_READ, self.key_set),
            f"{prefix}/": (_READ, self.index),
            "/healthz": (_READ, self.health),
            "/readyz": (_READ, self.ready),
            "/metrics": (_READ, self.metrics),
        }
        routes = [web.route("*", path, self._finishing(answer, methods)) for path, (methods, answer) in known.items()]
        return [*routes, web.route("*", "/{rest:.*}", self._finishing(_not_found))]

    def direct(self) -> Mapping[str, Answering]:
        """What answers plain requests for a token, without aiohttp."""
        return {self._serving.server.path_prefix + path: self.plain_token for path in PATHS}

    def _finishing(self, answer: Answer, methods: tuple[str, ...] = ()) -> Callable[[web.Request], Awaitable[web.Response]]:
        """An answer, with what every answer has."""

        async def respond(http: web.Request) -> web.Response:
            if methods and http.method not in methods:
                finished = self._finished(_text(405, "Method not allowed.", ("Allow", ", ".join(methods))))
            else:
                finished = await self._answered(answer(http))
            return web.Response(status=finished.status, headers=finished.headers, body=finished.body)

        return respond

    async def _answered(self, answer: Awaitable[Reply]) -> Reply:
        try:
            reply = await answer
        except Exception as error:  # noqa: BLE001 - the outermost frame of a request: whatever it is, it is answered
            # The kind and the place: a text may quote what was sent.
            self._log("request.failed", error=type(error).__name__, **place_of(error.__traceback__))
            reply = _text(500, "Internal error.")
        return self._finished(reply)

    def _finished(self, reply: Reply) -> Reply:
        return Reply(reply.status, reply.headers + self._always, reply.body)

    async def token(self, http: web.Request) -> Reply:
        """GET and POST: a token, or why not."""
        began = time.monotonic()
        return await self._counted(self._token(http, began), began)

    def plain_token(self, asked: PlainGet, peer: str) -> Coroutine[None, None, Reply]:
        """The same to a plain GET."""
        began = time.monotonic()
        return self._answered(self._counted(self._plain_token(asked, peer, began), began))

    async def _counted(self, answer: Awaitable[tuple[str, Reply]], began: float) -> Reply:
        outcome = "failed"
        try:
            outcome, reply = await answer
        finally:
            self._meter.add(REQUESTS, outcome)
            self._meter.observe(REQUEST_SECONDS, time.monotonic() - began)
        return reply

    async def _token(self, http: web.Request, began: float) -> tuple[str, Reply]:
        fields: dict[str, list[str]] = {}
        for name, value in http.headers.items():
            fields.setdefault(name.lower(), []).append(value)
        client = self._client(fields, http.remote or "")
        request = client if isinstance(client, BadRequest) else await _read(http, fields, self._body_timeout_s)
        return await self._answer(request, client, began, post=http.method == "POST")

    async def _plain_token(self, asked: PlainGet, peer: str, began: float) -> tuple[str, Reply]:
        request = read_get(asked.query, asked.fields.get("authorization", ()))
        return await self._answer(request, self._client(asked.fields, peer), began, post=False)

    async def _answer(
        self, request: TokenRequest | BadRequest, client: Client | BadRequest, began: float, *, post: bool
    ) -> tuple[str, Reply]:
        if isinstance(client, BadRequest):
            return "bad_request", _bad(client, oauth=post)
        if isinstance(request, BadRequest):
            return "bad_request", _bad(request, oauth=post)
        serving = self._serving
        try:
            outcome = await serving.issue.run(request, client)
        except Unavailable as fault:
            self._log("token.unavailable", problem=str(fault))
            return "unavailable", _text(503, "Unavailable, try again.", _retry_after(RETRY_AFTER_S))
        match outcome:
            case Issued(body, jti, account, granted):
                if serving.issue.rules.log_tokens:
                    told = {"account": account, "aud": request.service, "granted": granted, "addr": client.addr}
                    self._log("token.issued", jti=jti, **told, ms=round((time.monotonic() - began) * 1_000, 1))
                return "issued", Reply(200, _ISSUED, encode(body))
            case Denied(reason, pause_s, account):
                self._refused(reason, pause_s)
                self._log("token.denied", reason=reason, account=account, aud=request.service, addr=client.addr)
                return "refused", _denied(pause_s, realm=serving.issue.rules.issuer, post=post)
            case _ as never:
                assert_never(never)

    def _client(self, fields: Fields, peer: str) -> Client | BadRequest:
        real_ip = self._serving.server.real_ip
        addr = client_address(peer, fields.get(real_ip.header.lower(), ()) if real_ip else (), real_ip)
        if isinstance(addr, BadRequest):
            return addr
        claimed = _first(fields, "x-forwarded-for").partition(",")[0].strip()
        return Client(addr, storable(claimed, limit=MAX_ADDRESS), storable(_first(fields, "user-agent"), limit=MAX_TEXT))

    def _refused(self, reason: str, pause_s: int) -> None:
        self._meter.add(REFUSALS, reason)
        if pause_s:
            self._meter.observe(BACKOFF_SECONDS, pause_s)

    async def key_set(self, _http: web.Request) -> Reply:
        """The public keys (RFC 7517), for registries that read ``jwks``."""
        return _json(200, self._serving.key_set, ("Cache-Control", "max-age=300"))

    async def index(self, _http: web.Request) -> Reply:
        """Who this is."""
        return _text(200, self._serving.issue.rules.issuer)

    async def health(self, _http: web.Request) -> Reply:
        """Alive."""
        return _text(200, "ok")

    async def ready(self, _http: web.Request) -> Reply:
        """Every thing beside us, by name."""
        pings = {**self._pings, **self._serving.issue.rules.ready}
        found = {name: await _answers(ping) for name, ping in pings.items()}
        return _json(200 if all(found.values()) else 503, found, _NOT_KEPT)

    async def metrics(self, _http: web.Request) -> Reply:
        """Prometheus' text format, of every process that shares the port."""
        rules, now = self._serving.issue.rules, self._serving.issue.clock() // 1_000
        told = [Told(KEY_EXPIRY, (name,), end - now) for name, end in rules.key_ends.items()]
        if rules.policy is not None:
            told.append(Told(POLICY, (rules.policy.hash,), 1))
        return Reply(200, (("Content-Type", CONTENT_TYPE), _NOT_KEPT), self._meter.text(told).encode())


async def _not_found(_http: web.Request) -> Reply:
    return _text(404, "Not found")


async def _read(http: web.Request, fields: Fields, timeout_s: float) -> TokenRequest | BadRequest:
    authorization = fields.get("authorization", ())
    query = http.rel_url.raw_query_string
    if http.method == "GET":
        return read_get(query, authorization)
    try:
        async with asyncio.timeout(timeout_s):
            body = await http.content.read(MAX_FORM + 1)
            while len(body) <= MAX_FORM and (more := await http.content.read(MAX_FORM + 1 - len(body))):
                body += more
    except TimeoutError:
        return BadRequest("the form did not arrive in time")
    except (ClientPayloadError, HttpProcessingError, ConnectionError):
        return BadRequest("the form did not arrive whole")
    if len(body) > MAX_FORM:
        return BadRequest(f"the form is larger than {MAX_FORM} bytes")
    # Go reads a form as one only if it says so.
    return read_post(query, authorization, body if http.content_type == FORM_TYPE else b"")


def _denied(pause_s: int, *, realm: str, post: bool) -> Reply:
    if pause_s and not post:
        return _text(429, f"Too many wrong passwords, try again in {pause_s} s.", _retry_after(pause_s))
    # A POST is told 401 whatever it was: containerd goes on to GET after that, and fails pulls after anything else.
    challenge = ("WWW-Authenticate", f'Basic realm="{_quoted(realm)}"')
    return _text(401, "Auth failed.", challenge, *((_retry_after(pause_s),) if pause_s else ()))


def _bad(fault: BadRequest, *, oauth: bool) -> Reply:
    if oauth:
        # RFC 6749 section 5.2; containerd tries GET after a 400.
        return _json(400, {"error": fault.code, "error_description": fault.problem}, _NOT_KEPT)
    return _text(400, f"Bad request: {fault.problem}")


def _text(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, (_TEXT, _NOT_KEPT, *headers), f"{text}\n".encode())


def _json(status: int, content: object, *headers: tuple[str, str]) -> Reply:
    return Reply(status, (_JSON, *headers), json.dumps(content).encode())


def _retry_after(seconds: int) -> tuple[str, str]:
    return "Retry-After", str(seconds)


def _first(fields: Fields, name: str) -> str:
    values = fields.get(name)
    return values[0] if values else ""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _answers(ping: Ping) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True
