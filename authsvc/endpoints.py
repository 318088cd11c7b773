"""HTTP of the token service: requests to values, values to answers. Decides no access.

Clients never see 403; less access is 200 with fewer actions. Error texts never repeat what was sent.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from authsvc.decide.request import MAX_FORM, MAX_TEXT, BadRequest, TokenRequest, read_get, read_post
from authsvc.errors import Unavailable
from authsvc.issue import Client, Denied, Issue, Issued
from wharfinger.runtime.log import Log

PATHS: Final = ("/auth", "/auth/token")
"""The second is the one that registries with autoredirect name."""
BODY_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 1
_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Ping = Callable[[], Awaitable[None]]


class Endpoints:
    """The routes of one token service."""

    def __init__(self, issue: Issue, *, pings: Mapping[str, Ping], log: Log) -> None:
        self._issue = issue
        self._pings = pings
        self._log = log
        self._answers: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Every route; HEAD mints nothing."""
        tokens = [web.get(path, self.token, allow_head=False) for path in PATHS] + [
            web.post(path, self.token) for path in PATHS
        ]
        rest = [web.get("/healthz", self.health), web.get("/readyz", self.ready), web.get("/metrics", self.metrics)]
        return tokens + rest

    async def token(self, http: web.Request) -> web.Response:
        """GET and POST: a token, or why not."""
        response = await self._answer(http)
        self._answers[str(response.status)] += 1
        response.headers.update(_HEADERS)
        return response

    async def _answer(self, http: web.Request) -> web.Response:
        request = await _read(http)
        if isinstance(request, BadRequest):
            return _bad(request, oauth=http.method == "POST")
        try:
            outcome = await self._issue.run(request, _client(http))
        except Unavailable as fault:
            self._log("token.unavailable", problem=str(fault))
            return _text(503, "Unavailable, try again.", {"Retry-After": str(RETRY_AFTER_S)})
        match outcome:
            case Issued(body):
                return web.Response(body=json.dumps(body).encode(), content_type="application/json")
            case Denied(reason):
                self._log("token.denied", reason=reason, addr=http.remote or "")
                return _text(401, "Auth failed.", {"WWW-Authenticate": f'Basic realm="{_quoted(self._issue.issuer)}"'})

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


async def _read(http: web.Request) -> TokenRequest | BadRequest:
    authorization = http.headers.getall("Authorization", [])
    query = http.rel_url.raw_query_string
    if http.method == "GET":
        return read_get(query, authorization)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await http.content.read(MAX_FORM + 1)
            while len(body) <= MAX_FORM and (more := await http.content.read(MAX_FORM + 1 - len(body))):
                body += more
    except TimeoutError:
        return BadRequest("the form did not arrive in time")
    if len(body) > MAX_FORM:
        return BadRequest(f"the form is larger than {MAX_FORM} bytes")
    return read_post(query, authorization, body)


def _client(http: web.Request) -> Client:
    claimed = http.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    peer = (http.remote or "").partition("%")[0]
    return Client(peer, claimed[:64], http.headers.get("User-Agent", "")[:MAX_TEXT])


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
