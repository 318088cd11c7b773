"""Issue: one docker client's request becomes a token, recorded before it is released. Deciding is in ``decide``.

The numbers are those of docs/flow.md. Crash after the issuance is recorded, before the answer: an issuance whose token nobody
has; harmless. Crash before: no record, no token.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from authsvc.decide.access import Access, decide_access, requests, with_answers
from authsvc.decide.credentials import Identity, NoMatch, WrongPassword, cut, dummy_hash
from authsvc.decide.refusals import RefusalSums, network_of, unknown_name
from authsvc.decide.request import Claimed, TokenRequest
from authsvc.decide.token import BACKDATED_S, answer, claims
from authsvc.errors import Unavailable
from authsvc.ports import (
    Attempts,
    Authenticator,
    Authorizer,
    Clock,
    IssuanceStream,
    Nonces,
    PasswordCheck,
    Ping,
    RefusalStream,
    Signer,
)
from wharfinger.policy import Policy
from wharfinger.policy import Request as PolicyRequest
from wharfinger.runtime.log import Log
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.jti import NONCE_BITS, JtiKeys, mint
from wharfinger.wire.names import Account, Jti, Subject
from wharfinger.wire.subject import format_subject


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as the connection tells. ``claimed_addr``: what a header says, believed by nobody."""

    addr: str
    claimed_addr: str
    user_agent: str

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address as such; None on a unix socket."""
        return _parsed(self.addr) if self.addr else None


@dataclass(frozen=True, slots=True)
class Issued:
    """The answer's JSON; the rest is for the log. ``granted``: scopes with an action."""

    body: Mapping[str, object]
    jti: str
    account: str
    granted: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The client is not who it says, or may not come without saying; ``reason`` is for the record, not for the client.

    ``pause_s``: too many wrong passwords came; when to try again. ``account``: a known one's name.
    """

    reason: str
    pause_s: int = 0
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration decides: replaced whole when it is read anew.

    ``known``: accounts that may stand in clear in a refusal. ``costs``: of the users' hashes, for names nobody has.
    ``ready``: what must answer for it, by name. ``key_ends``: when each signing key's certificate ends, epoch seconds.
    ``log_tokens``: each token has a line in the log.
    """

    issuer: str
    expiration_s: int
    policy: Policy | None
    authenticators: tuple[Authenticator, ...]
    authorizers: Mapping[str, Authorizer]
    signer: Signer
    keys: JtiKeys
    known: frozenset[str]
    costs: tuple[bytes, ...]
    subject: Callable[[Account, Jti], Subject] = format_subject
    ready: Mapping[str, Ping]
    key_ends: Mapping[str, int]
    log_tokens: bool

    async def first_that_knows(self, claimed: Claimed | None) -> Identity | NoMatch | WrongPassword:
        """Who a claim is, by the first way that knows the account; None is the anonymous client. Raises Unavailable."""
        for authenticator in self.authenticators:
            found = await authenticator.authenticate(claimed)
            if not isinstance(found, NoMatch):
                return found
        return NoMatch()

    async def authorize(self, request: TokenRequest, who: Identity, client: Client) -> Access:
        """What of a request is granted. Raises Unavailable."""
        asked = requests(request.scopes, who=who, service=request.service, address=client.ip)
        access = decide_access(self.policy, asked)
        if not self.authorizers or all(access.deciders):
            return access
        answers: list[tuple[str, tuple[str, ...]] | None] = []
        for one, decider in zip(asked, access.deciders, strict=True):
            answers.append(None if decider else await self._first_that_says(one))
        return with_answers(access, answers)

    async def _first_that_says(self, asked: PolicyRequest) -> tuple[str, tuple[str, ...]] | None:
        for name, authorizer in self.authorizers.items():
            granted = await authorizer.authorize(asked)
            if granted is not None:
                return name, granted
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """The use case with what it needs."""

    rules: Rules
    passwords: PasswordCheck
    attempts: Attempts
    issuances: IssuanceStream
    refusals: RefusalStream
    clock: Clock
    nonces: Nonces
    sums: RefusalSums
    log: Log

    async def run(self, request: TokenRequest, client: Client) -> Issued | Denied:
        """Answer one request.

        Raises:
            Unavailable: the issuance could not be recorded, somebody who must be asked does not answer, or too many wait.
        """
        who = await self._authenticate(request.credentials, client)
        if isinstance(who, Denied):
            return await self._refuse(who, request, client)
        access = await self.rules.authorize(request, who, client)
        issuance = self._issuance(request, who, access, client)
        token = self.rules.signer.sign(
            claims(
                issuance, issuer=self.rules.issuer, subject=self.rules.subject(who.account, issuance.jti), access=access.entries
            ),
            service=request.service,
            now=issuance.issued_at,
        )
        await self.issuances.record(issuance)
        return Issued(answer(token, issuance, oauth=request.oauth), issuance.jti, who.account, len(issuance.granted))

    async def flush(self, *, everything: bool = False) -> None:
        """Record the sums of refusals whose minute is over; all of them at the end."""
        for refusal in self.sums.close(None if everything else self.clock() // 1_000):
            await self._record(refusal)

    async def _authenticate(self, claimed: Claimed | None, client: Client) -> Identity | Denied:
        if claimed is None:
            who = await self.rules.first_that_knows(None)
            return who if isinstance(who, Identity) else Denied("anonymous_disabled")
        # Whoever is held back is not told by the memory either which password is right.
        if not self.attempts.suspects(claimed, client.addr) and (known := self._recalled(claimed)) is not None:
            await self.attempts.count(claimed, client.addr, right=True)
            return known
        pause_s = await self.attempts.pause_s(claimed, client.addr)
        if pause_s:
            return Denied("backed_off", pause_s)
        who = await self.rules.first_that_knows(claimed)
        if isinstance(who, NoMatch):
            # A name nobody has takes as long as a wrong password.
            nobodys = dummy_hash(self.rules.keys.keys[0], self.rules.costs, claimed.account)
            await self.passwords.matches(cut(claimed.password), nobodys)
        await self.attempts.count(claimed, client.addr, right=isinstance(who, Identity))
        if isinstance(who, Identity):
            return who
        return Denied("unknown_account" if isinstance(who, NoMatch) else "wrong_password")

    def _recalled(self, claimed: Claimed) -> Identity | None:
        for authenticator in self.rules.authenticators:
            if (who := authenticator.recall(claimed)) is not None:
                return who
        return None

    def _issuance(self, request: TokenRequest, who: Identity, access: Access, client: Client) -> Issuance:
        now_ms = self.clock()
        now = now_ms // 1_000
        return Issuance(
            jti=mint(self.rules.keys, account=who.account, now_ms=now_ms, nonce=self.nonces(NONCE_BITS)),
            account=who.account,
            credential=who.credential,
            authenticated_by=request.credentials.by if request.credentials else "none",
            client_addr=client.addr,
            claimed_addr=client.claimed_addr,
            user_agent=client.user_agent,
            client_id=request.client_id,
            service=request.service,
            asked=request.scopes,
            granted=access.granted(),
            rules=access.rules,
            deciders=access.deciders,
            policy=self.rules.policy.hash if self.rules.policy else "",
            issued_at=now,
            not_before=now - BACKDATED_S,
            expires_at=now + self.rules.expiration_s,
        )

    async def _refuse(self, denied: Denied, request: TokenRequest, client: Client) -> Denied:
        name = request.credentials.account if request.credentials else ""
        known = name in self.rules.known
        now_ms = self.clock()
        refusal = Refusal(
            id=f"ref_{now_ms:x}_{self.nonces(64):016x}",
            reason=denied.reason,
            account=Account(name if known else ""),
            account_hash="" if known or not name else unknown_name(self.rules.keys.keys[0], name),
            client_addr=client.addr,
            network=network_of(client.addr),
            user_agent=client.user_agent,
            service=request.service,
            asked=request.scopes,
            since=now_ms // 1_000,
            until=now_ms // 1_000,
        )
        admitted = self.sums.admit(refusal)
        if admitted is not None:
            await self._record(admitted)
        return replace(denied, account=refusal.account)

    async def _record(self, refusal: Refusal) -> None:
        try:
            await self.refusals.record(refusal)
        except Unavailable as fault:
            # Access stays refused; what is lost is a line of the trail, and that is said.
            self.log("refusal.unrecorded", reason=refusal.reason, count=refusal.count, problem=str(fault))


@lru_cache(maxsize=1_024)
def _parsed(addr: str) -> IPv4Address | IPv6Address:
    """An address as such: the same clients come again."""
    return ip_address(addr)
