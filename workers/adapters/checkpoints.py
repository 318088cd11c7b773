"""The log's checkpoints behind the workers' ports, over the ledger."""

from collections.abc import Sequence

from wharfinger.ledger.checkpoint import Nothing, Refuse, SignedCheckpoint
from wharfinger.ledger.checkpoints import add_cosignature, has_news, make_checkpoint, newest, prove_consistency
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import MalformedNote, Signature, Signer
from workers.ports import Clock


class LedgersHead:
    """The port ``LogHead``."""

    def __init__(self, database: Database, keys: LogKeys, signer: Signer, *, every_ms: int, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._signer = signer
        self._every_ms = every_ms
        self._clock = clock

    def news(self) -> bool:
        """Whether there are records that no checkpoint has."""
        with self._database.reading() as connection:
            return has_news(connection)

    def sign(self) -> SignedCheckpoint | Nothing | Refuse:
        """Sign it and keep the checkpoint; several workers' hosts sign it once between them."""
        return make_checkpoint(self._database, self._keys, self._signer, now_ms=self._clock(), every_ms=self._every_ms)


class LedgersCheckpoints:
    """The port ``SignedLog``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> SignedCheckpoint | None:
        """The newest checkpoint; None also when somebody changed it: nobody is to cosign that."""
        with self._database.reading() as connection:
            found = newest(connection)
        try:
            return None if found is None else found.signed()
        except MalformedNote:
            return None

    def proof(self, old: int, new: int) -> Sequence[bytes]:
        """That the log of one size began as that of another."""
        with self._database.reading() as connection:
            return prove_consistency(connection, old, new)

    def add(self, size: int, cosignature: Signature) -> None:
        """Keep a cosignature."""
        add_cosignature(self._database, size, cosignature)
