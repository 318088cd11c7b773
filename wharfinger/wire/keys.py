"""Every name Wharfinger uses in Redis, with who writes it, who reads it, its type and how long it lives.

No name of a key stands anywhere else. docs/redis.md repeats this table for people and is tested against it.
"""

from dataclasses import dataclass

from wharfinger.wire.names import Jti

PREFIX = "wharfinger:"

ISSUANCES = PREFIX + "issuances"
"""Stream of issuances, one entry a token; a public interface. Writer: authsvc. Readers: settle (group ``settle``), others."""

REFUSALS = PREFIX + "refusals"
"""Stream of refused requests for a token. Writer: authsvc. Reader: settle (group ``settle``)."""

EVENTS = PREFIX + "events"
"""Stream of notifications as they arrived. Writer: notifier. Reader: settle (group ``settle``)."""

STREAMS = (ISSUANCES, REFUSALS, EVENTS)
"""Every stream settle reads; issuances first, so that a batch knows the tokens its events name."""

SETTLE_GROUP = "settle"
"""The consumer group of every stream: an entry is acknowledged once SQL has committed it."""

WAKE = PREFIX + "wake:settle"
"""Flag: a settle job is on its way. Writers: notifier, sweep (set if absent), settle (clears it first). Reader: the same."""

WAKE_TTL_MS = 2_000
"""A wake-up lost with its job blocks the next one no longer than this; well inside the 5 s settling may be late."""

REPLAYING = PREFIX + "replaying"
"""Flag: a token service sends records of its journal, more may come. Writer: authsvc, with each part. Reader: settle."""

REPLAYING_TTL_MS = 5_000
"""Longer than the pause between two parts; a token service that dies over it says so no longer than this."""

MOVING = PREFIX + "moving:"
"""Before the name of each key of a copy that is being made of another store. Writer and reader: ``ledger move``."""

MOVED = PREFIX + "moved"
"""Which store was moved here. Writer and reader: ``ledger move``."""

ISSUANCE_KEEP_S = 24 * 3600
"""An issuance stays readable by its key this long after the token expired, for uploads that end late and for others."""

SETTLE_QUEUE = "wharfinger-settle"
"""RQ queue of settle's wake-ups. Writers: notifier, sweep. Reader: the settle worker."""

DELIVER_QUEUE = "wharfinger-deliver"
"""RQ queue with one job a due delivery. Writers: settle, deliver, sweep. Readers: the deliver workers."""


def issuance(jti: Jti) -> str:
    """The key of one issuance record (a string). Writer: authsvc, in one MULTI with the stream entry. Reader: settle."""
    return f"{PREFIX}issuance:{jti}"


def tried(hashed: str) -> str:
    """Flag: this very password was tried for this account from this address. Writer and reader: authsvc. Lives 15 minutes."""
    return f"{PREFIX}tried:{hashed}"


def failures(hashed: str) -> str:
    """Counter of wrong passwords, of one account, network, or both. Writer, reader: authsvc. Lives 15 minutes past the last."""
    return f"{PREFIX}failures:{hashed}"


def proved(hashed: str) -> str:
    """Flag: the account's password was right lately, from that address. Writer and reader: authsvc. Lives 15 minutes."""
    return f"{PREFIX}proved:{hashed}"


@dataclass(frozen=True, slots=True)
class KeyDoc:
    """One row of docs/redis.md."""

    pattern: str
    kind: str
    writer: str
    reader: str
    ttl: str


CATALOGUE = (
    KeyDoc(ISSUANCES, "stream", "authsvc", "settle, others", "trimmed behind SQL, kept 24 h at least"),
    KeyDoc(REFUSALS, "stream", "authsvc", "settle", "trimmed behind SQL"),
    KeyDoc(EVENTS, "stream", "notifier", "settle", "trimmed behind SQL"),
    KeyDoc(issuance(Jti("<jti>")), "string", "authsvc", "settle, others", "24 h past the token's exp"),
    KeyDoc(tried("<hash>"), "string", "authsvc", "authsvc", "15 min"),
    KeyDoc(failures("<hash>"), "string", "authsvc", "authsvc", "15 min past the last wrong password"),
    KeyDoc(proved("<hash>"), "string", "authsvc", "authsvc", "15 min past the last right password"),
    KeyDoc(REPLAYING, "string", "authsvc", "settle", "5 s past the last part of a journal"),
    KeyDoc(WAKE, "string", "notifier, sweep, settle", "notifier, sweep", "2 s"),
    KeyDoc(MOVING + "<key>", "of the key", "ledger move", "ledger move", "until the copy is whole"),
    KeyDoc(MOVED, "string", "ledger move", "ledger move", "none"),
    KeyDoc(f"rq:queue:{SETTLE_QUEUE}", "list (RQ)", "notifier, sweep", "settle worker", "none"),
    KeyDoc(f"rq:queue:{DELIVER_QUEUE}", "list (RQ)", "settle, deliver, sweep", "deliver workers", "none"),
)
"""Every key, for docs/redis.md. RQ keeps further keys of its own under ``rq:``."""
