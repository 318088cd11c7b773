"""Finds tokens' records: in Redis, where they are for a day, else in the ledger, where they are for good."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import redis

from wharfinger.ledger.database import Database
from wharfinger.ledger.issued import from_record
from wharfinger.ledger.search import Criteria, newest
from wharfinger.ledger.settlement import find_issuances
from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord, decode
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Account, Jti
from workers.adapters.redis_errors import unavailable_when_silent

MAX_CANDIDATES: Final = 200
"""Issuances of one account that are looked at for an event without an id; with more in a day nothing could be told anyway."""

MAX_REMEMBERED: Final = 20_000
"""Candidates that are kept in memory: the same ones are asked for with each batch."""


class StoredIssuances:
    """The port ``IssuanceLookup``."""

    def __init__(self, client: redis.Redis, database: Database) -> None:
        self._redis = client
        self._database = database
        self._remembered: dict[int, Issuance] = {}

    def find(self, jtis: AbstractSet[Jti]) -> Mapping[Jti, Issuance]:
        """The records that exist in either place."""
        if not jtis:
            return {}
        ordered = sorted(jtis)
        with unavailable_when_silent():
            values = self._redis.mget([keys.issuance(jti) for jti in ordered])
        found = {jti: issuance for jti, value in zip(ordered, values, strict=True) if (issuance := _read(jti, value))}
        missing = [jti for jti in ordered if jti not in found]
        return found | find_issuances(self._database, missing) if missing else found

    def replaying(self) -> bool:
        """The flag that a token service sets with each part of its journal."""
        with unavailable_when_silent():
            return bool(self._redis.exists(keys.REPLAYING))

    def of_accounts(self, accounts: AbstractSet[Account], *, since_ms: int) -> Mapping[Account, Sequence[Issuance]]:
        """What the ledger knows, newest first, MAX_CANDIDATES of each."""
        ordered = sorted(accounts)
        asked = [Criteria(account=account, kinds=("issuance",)) for account in ordered]
        found, new = newest(self._database, asked, since_ms=since_ms, limit=MAX_CANDIDATES, known=self._remembered)
        self._remembered |= {one.seq: from_record(one.record, erased=one.erased) for one in new}
        told = {account: self._of(account, numbers) for account, numbers in zip(ordered, found, strict=True)}
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.clear()
        return told

    def _of(self, account: Account, numbers: Sequence[int]) -> list[Issuance]:
        # One that was erased stands under nobody's name: it is no anonymous client's, whatever is remembered of it.
        ones = [self._remembered[number] for number in numbers]
        return [one for one in ones if one.account == account and not one.erased]


def _read(jti: Jti, value: bytes | str | None) -> Issuance | None:
    if not isinstance(value, bytes):
        return None
    try:
        issuance = decode(Issuance, value)
    except UnreadableRecord:
        return None
    # A record under another token's name is nobody's.
    return issuance if issuance.jti == jti else None
