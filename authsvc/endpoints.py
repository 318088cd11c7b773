"""HTTP of the token service: requests to values, values to answers. Decides no access.

Clients never see 403; less access is 200 with fewer actions. Error texts never repeat what was sent.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from aiohttp import web

from authsvc.decide.client_address import client_address
from authsvc.decide.request import MAX_FORM, BadRequest, TokenRequest, kept_text, read_get, read_post
from authsvc.errors import Unavailable
from authsvc.issue import Client, Denied, Issue, Issued
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import RealIp, ServerSettings
from wharfinger.wire.codec import encode

PATHS: Final = ("/auth", "/auth/token")
"""The second is the one that registries with autoredirect name."""
BODY_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 1
HSTS: Final = "max-age=63072000; includeSubDomains"
_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Ping = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Serving:
    """What requests are answered with now: replaced when the configuration was read anew."""

    issue: Issue
    server: ServerSettings
    key_set: Mapping[str, object]


class Endpoints:
    """The routes of one token service."""

    def __init__(
        self, serving: Serving, *, pings: Mapping[str, Ping], log: Log, body_timeout_s: float = BODY_TIMEOUT_S
    ) -> None:
        self._serving = serving
        self._pings = pings
        self._log = log
        self._body_timeout_s = body_timeout_s
        self._answers: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Every route; HEAD mints nothing."""
        prefix = self._serving.server.path_prefix
        tokens = [web.get(prefix + path, self.token, allow_head=False) for path in PATHS]
        tokens += [web.post(prefix + path, self.token) for path in PATHS]
        rest = [web.get("/healthz", self.health), web.get("/readyz", self.ready), web.get("/metrics", self.metrics)]
        public = [web.get(f"{prefix}/.well-known/jwks.json", self.key_set), web.get(f"{prefix}/", self.index)]
        return tokens + rest + public

    async def token(self, http: web.Request) -> web.Response:
        """GET and POST: a token, or why not."""
        response = await self._answer(http)
        self._answers[str(response.status)] += 1
        response.headers.update(_HEADERS)
        if self._serving.server.hsts:
            response.headers["Strict-Transport-Security"] = HSTS
        return response

    async def _answer(self, http: web.Request) -> web.Response:
        serving, post = self._serving, http.method == "POST"
        client = _client(http, serving.server.real_ip)
        if isinstance(client, BadRequest):
            return _bad(client, oauth=post)
        request = await _read(http, self._body_timeout_s)
        if isinstance(request, BadRequest):
            return _bad(request, oauth=post)
        try:
            outcome = await serving.issue.run(request, client)
        except Unavailable as fault:
            self._log("token.unavailable", problem=str(fault))
            return _text(503, "Unavailable, try again.", {"Retry-After": str(RETRY_AFTER_S)})
        match outcome:
            case Issued(body):
                return web.Response(body=encode(body), content_type="application/json")
            case Denied(reason, pause_s):
                self._log("token.denied", reason=reason, addr=client.addr)
                return _denied(pause_s, realm=serving.issue.rules.issuer, post=post)
            case _ as never:
                assert_never(never)

    async def key_set(self, _http: web.Request) -> web.Response:
        """The public keys (RFC 7517), for registries that read ``jwks``."""
        return web.json_response(self._serving.key_set, headers={"Cache-Control": "max-age=300"})

    async def index(self, _http: web.Request) -> web.Response:
        """Who this is."""
        return _text(200, self._serving.issue.rules.issuer)

    async def health(self, _http: web.Request) -> web.Response:
        """Alive."""
        return _text(200, "ok")

    async def ready(self, _http: web.Request) -> web.Response:
        """Every thing beside us, by name."""
        found = {name: await _answers(ping) for name, ping in self._pings.items()}
        return web.json_response(found, status=200 if all(found.values()) else 503)

    async def metrics(self, _http: web.Request) -> web.Response:
        """Prometheus' text format."""
        lines = ["# TYPE wharfinger_auth_answers_total counter"]
        lines += [f'wharfinger_auth_answers_total{{code="{code}"}} {count}' for code, count in sorted(self._answers.items())]
        return _text(200, "\n".join(lines))


async def _read(http: web.Request, timeout_s: float) -> TokenRequest | BadRequest:
    authorization = http.headers.getall("Authorization", [])
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
    if len(body) > MAX_FORM:
        return BadRequest(f"the form is larger than {MAX_FORM} bytes")
    return read_post(query, authorization, body)


def _client(http: web.Request, real_ip: RealIp | None) -> Client | BadRequest:
    header = http.headers.getall(real_ip.header, []) if real_ip else []
    addr = client_address(http.remote or "", header, real_ip)
    if isinstance(addr, BadRequest):
        return addr
    claimed = http.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    return Client(addr, kept_text(claimed[:64]), kept_text(http.headers.get("User-Agent", "")))


def _denied(pause_s: int, *, realm: str, post: bool) -> web.Response:
    if pause_s and not post:
        return _text(429, f"Too many wrong passwords, try again in {pause_s} s.", {"Retry-After": str(pause_s)})
    # A POST is told 401 whatever it was: containerd goes on to GET after that, and fails pulls after anything else.
    headers = {"WWW-Authenticate": f'Basic realm="{_quoted(realm)}"'} | ({"Retry-After": str(pause_s)} if pause_s else {})
    return _text(401, "Auth failed.", headers)


def _bad(fault: BadRequest, *, oauth: bool) -> web.Response:
    if oauth:
        # RFC 6749 section 5.2; containerd tries GET after a 400.
        return web.json_response({"error": fault.code, "error_description": fault.problem}, status=400)
    return _text(400, f"Bad request: {fault.problem}")


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _answers(ping: Ping) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True
