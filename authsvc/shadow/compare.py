"""Compare: one exchange that went through becomes what we would have answered, and what of that differs.

Nothing is recorded, counted as a failure, signed or released, and nobody waits for it: what comes too fast is not compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

from authsvc.decide.access import requests
from authsvc.decide.client_address import client_address
from authsvc.decide.credentials import Identity, NoMatch
from authsvc.decide.request import FORM_TYPE, BadRequest, TokenRequest, read_get, read_post
from authsvc.decide.shadow import Answer, Difference, Ours, Tally, compare, ours_granted, read_theirs
from authsvc.endpoints import PATHS
from authsvc.errors import Unavailable
from authsvc.issue import Client, Rules
from authsvc.metrics import SHADOW_DIFFERENCES, SHADOW_FAILURES, SHADOW_REQUESTS, SHADOW_SECONDS
from authsvc.shadow.relay import Exchange
from wharfinger.runtime.log import Log
from wharfinger.runtime.metrics import Meter
from wharfinger.runtime.settings import RealIp


@dataclass(frozen=True, slots=True)
class Reading:
    """What the configuration says of how requests are read and decided: replaced whole when it is read anew."""

    rules: Rules
    prefix: str
    real_ip: RealIp | None


@dataclass(slots=True)
class Compare:
    """The use case with what it needs."""

    reading: Reading
    tally: Tally
    meter: Meter
    clock: Callable[[], int]
    log: Log

    async def run(self, exchange: Exchange) -> None:
        """Compare one exchange."""
        outcome = await self._compared(exchange)
        self.tally.count(outcome)
        self.meter.add(SHADOW_REQUESTS, outcome)

    def skip(self) -> None:
        """One that came too fast."""
        self.tally.count("not_compared")
        self.meter.add(SHADOW_REQUESTS, "not_compared")

    async def _compared(self, exchange: Exchange) -> str:
        if exchange.failure:
            self.meter.add(SHADOW_FAILURES, exchange.failure)
            self.log("shadow.upstream_failed", why=exchange.failure)
            return "upstream_failed"
        self.meter.observe(SHADOW_SECONDS, exchange.took_s)
        if exchange.request.path not in {self.reading.prefix + path for path in PATHS}:
            return "not_a_token"
        theirs = read_theirs(exchange.status, exchange.body)
        if theirs.answer is Answer.FAILED:
            self.log("shadow.upstream_failed", why=str(exchange.status))
            return "upstream_failed"
        if not exchange.whole:
            return "not_compared"
        try:
            ours = await self._ours(exchange)
        except Unavailable as fault:
            self.log("shadow.not_compared", problem=str(fault))
            return "not_compared"
        found = compare(theirs, ours)
        for one in found:
            self._tell(one)
        return "differs" if found else "same"

    async def _ours(self, exchange: Exchange) -> Ours:
        request, reading = self._read(exchange), self.reading
        if isinstance(request, BadRequest):
            return Ours(Answer.BAD_REQUEST, request.problem)
        header = exchange.request.fields.get(reading.real_ip.header.lower(), ()) if reading.real_ip else ()
        addr = client_address(exchange.peer, header, reading.real_ip)
        if isinstance(addr, BadRequest):
            return Ours(Answer.BAD_REQUEST, addr.problem)
        who = await reading.rules.first_that_knows(request.credentials)
        if not isinstance(who, Identity):
            unknown = "unknown_account" if request.credentials else "anonymous_disabled"
            return Ours(Answer.DENIED, unknown if isinstance(who, NoMatch) else "wrong_password")
        client = Client(addr, "", "")
        access = await reading.rules.authorize(request, who, client)
        asked = requests(request.scopes, who=who, service=request.service, address=client.ip)
        return ours_granted(who.account, asked, access, reading.rules.policy)

    def _read(self, exchange: Exchange) -> TokenRequest | BadRequest:
        head = exchange.request
        authorization = head.fields.get("authorization", ())
        if head.method == "GET":
            return read_get(head.query, authorization)
        if head.method != "POST":
            return BadRequest("only GET and POST have a token")
        kind = next(iter(head.fields.get("content-type", ())), "").partition(";")[0].strip().lower()
        return read_post(head.query, authorization, exchange.form if kind == FORM_TYPE else b"")

    def _tell(self, one: Difference) -> None:
        self.meter.add(SHADOW_DIFFERENCES, one.what.value)
        if self.tally.add(one, self.clock()):
            told = {"what": one.what.value, "account": one.account, "scope": one.scope, "theirs": one.theirs, "ours": one.ours}
            self.log("shadow.differs", **told, line=one.line, why=one.why)
