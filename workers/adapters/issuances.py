"""Finds tokens' records: in Redis, where they are for a day, else in the ledger, where they are for good."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import redis

from wharfinger.ledger.database import Database
from wharfinger.ledger.settlement import find_issuances
from wharfinger.wire import keys
from wharfinger.wire.codec import UnreadableRecord, decode
from wharfinger.wire.issuance import Issuance
from wharfinger.wire.names import Jti
from workers.adapters.redis_errors import unavailable_when_silent


class StoredIssuances:
    """The port ``IssuanceLookup``."""

    def __init__(self, client: redis.Redis, database: Database) -> None:
        self._redis = client
        self._database = database

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


def _read(jti: Jti, value: bytes | str | None) -> Issuance | None:
    if not isinstance(value, bytes):
        return None
    try:
        issuance = decode(Issuance, value)
    except UnreadableRecord:
        return None
    # A record under another token's name is nobody's.
    return issuance if issuance.jti == jti else None
