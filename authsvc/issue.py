"""Issue: one docker client's request becomes a token, recorded before it is released. Deciding is in ``decide``.

The numbers are those of docs/flow.md. Crash after the issuance is recorded, before the answer: an issuance whose token nobody
has; harmless. Crash before: no record, no token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from authsvc.decide.access import decide_access
from authsvc.decide.credentials import Compare, NotAllowed, account_of, credential, what_to_compare
from authsvc.decide.refusals import RefusalSums, network_of, unknown_name
from authsvc.decide.request import Claimed, TokenRequest
from authsvc.decide.token import BACKDATED_S, answer, claims
from authsvc.errors import Unavailable
from authsvc.ports import Clock, IssuanceStream, Nonces, PasswordCheck, RefusalStream, Signer
from wharfinger.policy import Policy
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import User
from wharfinger.wire.issuance import Issuance, Refusal
from wharfinger.wire.jti import NONCE_BITS, JtiKeys, mint
from wharfinger.wire.names import Account
from wharfinger.wire.subject import format_subject


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as the connection tells. ``claimed_addr``: what a header says, believed by nobody."""

    addr: str
    claimed_addr: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Issued:
    """The answer's JSON."""

    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Denied:
    """The client is not who it says, or may not come without saying; ``reason`` is for the record, not for the client."""

    reason: str


@dataclass(frozen=True, slots=True)
class Issue:
    """The use case with what it needs."""

    users: Mapping[str, User]
    policy: Policy
    keys: JtiKeys
    issuer: str
    expiration_s: int
    passwords: PasswordCheck
    issuances: IssuanceStream
    refusals: RefusalStream
    signer: Signer
    clock: Clock
    nonces: Nonces
    sums: RefusalSums
    log: Log

    async def run(self, request: TokenRequest, client: Client) -> Issued | Denied:
        """Answer one request.

        Raises:
            Unavailable: the issuance could not be recorded, or too many passwords wait to be compared.
        """
        denied = await self._authenticate(request.credentials)
        if denied is not None:
            await self._refuse(denied, request, client)
            return denied
        account = account_of(request.credentials)
        address = ip_address(client.addr) if client.addr else None
        access = decide_access(self.policy, request.scopes, account=account, service=request.service, address=address)
        now_ms = self.clock()
        now = now_ms // 1_000
        jti = mint(self.keys, account=account, now_ms=now_ms, nonce=self.nonces(NONCE_BITS))
        issuance = Issuance(
            jti=jti,
            account=account,
            credential=credential(self.keys.keys[0], self.users.get(account)),
            authenticated_by=request.credentials.by if request.credentials else "none",
            client_addr=client.addr,
            claimed_addr=client.claimed_addr,
            user_agent=client.user_agent,
            client_id=request.client_id,
            service=request.service,
            asked=request.scopes,
            granted=access.granted(),
            rules=access.rules,
            policy=self.policy.hash,
            issued_at=now,
            not_before=now - BACKDATED_S,
            expires_at=now + self.expiration_s,
        )
        token = self.signer.sign(
            claims(
                issuer=self.issuer,
                subject=format_subject(account, jti),
                service=request.service,
                jti=jti,
                issued_at=now,
                expires_at=issuance.expires_at,
                access=access.entries,
            ),
            now=now,
        )
        await self.issuances.record(issuance)
        return Issued(
            answer(token, issued_at=now, expires_at=issuance.expires_at, granted=issuance.granted, oauth=request.oauth)
        )

    async def flush(self, *, everything: bool = False) -> None:
        """Record the sums of refusals whose minute is over; all of them at the end."""
        for refusal in self.sums.close(None if everything else self.clock() // 1_000):
            await self._record(refusal)

    async def _authenticate(self, claimed: Claimed | None) -> Denied | None:
        match what_to_compare(self.users, claimed):
            case NotAllowed():
                return Denied("anonymous_disabled")
            case Compare(password, hashed, known):
                # The dummy is compared too: a name nobody has takes as long as a wrong password.
                matches = await self.passwords.matches(password, hashed)
                if not known:
                    return Denied("unknown_account")
                return None if matches else Denied("wrong_password")
            case _:
                return None

    async def _refuse(self, denied: Denied, request: TokenRequest, client: Client) -> None:
        name = request.credentials.account if request.credentials else ""
        known = name in self.users
        now_ms = self.clock()
        refusal = Refusal(
            id=f"ref_{now_ms:x}_{self.nonces(64):016x}",
            reason=denied.reason,
            account=Account(name if known else ""),
            account_hash="" if known or not name else unknown_name(self.keys.keys[0], name),
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

    async def _record(self, refusal: Refusal) -> None:
        try:
            await self.refusals.record(refusal)
        except Unavailable as fault:
            # Access stays refused; what is lost is a line of the trail, and that is said.
            self.log("refusal.unrecorded", reason=refusal.reason, count=refusal.count, problem=str(fault))
