"""Signing the log, on both databases: only news, only what is consistent, once, and kept before it is shown."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Column

from tests.wharfinger.ledger import logs, vectors
from tests.wharfinger.ledger.crashes import killed_at
from tests.wharfinger.ledger.logs import KEYS, NOW, fill, rewrite, sign, swapped
from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import Checkpoint, Head, Latest, Nothing, Refuse, Sign, SignedCheckpoint, next_step, recent
from wharfinger.ledger.checkpoints import (
    add_cosignature,
    checkpoints_above,
    has_news,
    key_problem,
    make_checkpoint,
    newest,
    prove_consistency,
    signed_by,
)
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import LogKeys
from wharfinger.ledger.note import Note, Signature, Verdict, signer, verify
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.tiles import verify_consistency

ROOT, OTHER = b"r" * 32, b"o" * 32
LATEST = Latest(Checkpoint(vectors.ORIGIN, 3, ROOT), vectors.LOG.verifier, ROOT)


@pytest.mark.parametrize(
    ("head", "latest", "expected"),
    [
        (Head(0, ROOT, ROOT), None, Nothing()),
        (Head(1, ROOT, ROOT), None, Sign()),
        (Head(3, ROOT, ROOT), LATEST, Nothing()),
        (Head(4, OTHER, OTHER), LATEST, Sign()),
        (Head(1, ROOT, OTHER), None, "not of one tree"),
        (Head(1, None, None), None, "not of one tree"),
        (Head(4, ROOT, None), LATEST, "not of one tree"),
        (Head(2, ROOT, ROOT), LATEST, "has 2 records, and had 3"),
        (Head(3, OTHER, OTHER), replace(LATEST, tiles_root=OTHER), "not those that were signed"),
        (Head(4, OTHER, OTHER), replace(LATEST, tiles_root=None), "not those that were signed"),
        (Head(4, OTHER, OTHER), replace(LATEST, signed_by=None), "restore log.key"),
    ],
)
def test_what_may_be_signed(head: Head, latest: Latest | None, expected: object) -> None:
    """News that goes on from what was signed; anything else is refused, with the reason and what to do."""
    found = next_step(head, latest)
    if isinstance(expected, str):
        assert isinstance(found, Refuse)
        assert expected in found.problem
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("then", "expected"), [(None, False), (1_000, True), (41, True), (40, False), (1_001, False), (5_000, False)]
)
def test_a_clock_that_was_set_back_makes_nothing_recent(then: int | None, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """What lies in the future was not shortly ago."""
    assert recent(then, now_ms=1_000, within_ms=960) is expected


def make(database: Database, *, keys: LogKeys = KEYS, now_ms: int = NOW, every_ms: int = 0) -> object:
    """Sign, if it may be."""
    assert keys.signer is not None
    return make_checkpoint(database, keys, keys.signer, now_ms=now_ms, every_ms=every_ms)


def test_only_news_is_signed(ledger: Database) -> None:
    """An empty log is not; a log is, once; more records are again."""
    assert make(ledger) == Nothing()
    fill(ledger, 10)
    first = sign(ledger)
    assert (first.checkpoint.size, first.checkpoint.origin) == (10, vectors.ORIGIN)
    assert verify(first.note, vectors.LOG.verifier) is Verdict.VALID
    assert make(ledger) == Nothing()
    commit(ledger, [logs.event(10)], now_ms=NOW)
    with ledger.reading() as connection:
        assert has_news(connection)
    second = sign(ledger)
    with ledger.reading() as connection:
        assert not has_news(connection)
        assert [one.signed() for one in checkpoints_above(connection, -1)] == [first, second]
        proof = prove_consistency(connection, 10, 11)
        assert prove_consistency(connection, 0, 11) == []
    assert verify_consistency(10, 11, proof, first.checkpoint.root, second.checkpoint.root)


def test_not_oftener_than_asked(ledger: Database) -> None:
    """Whoever made the newest one: another host's counts too."""
    fill(ledger, 10)
    sign(ledger, now_ms=NOW)
    commit(ledger, [logs.event(10)], now_ms=NOW)
    assert make(ledger, now_ms=NOW + 59_999, every_ms=60_000) == Nothing()
    assert isinstance(make(ledger, now_ms=NOW + 60_000, every_ms=60_000), SignedCheckpoint)


@pytest.mark.parametrize(
    ("column", "change", "expected"),
    [
        (schema.tiles.c.hashes, swapped, "not those that were signed"),
        (schema.tiles.c.hashes, lambda hashes: hashes[:-32], "not those that were signed"),
        (schema.checkpoints.c.note, lambda _note: "x", "was changed"),
        (schema.checkpoints.c.note, lambda note: note.replace("10", "09"), "was changed"),
        (schema.checkpoints.c.note, lambda note: note.replace("registry", "register"), "signed by none of our keys"),
        (schema.tree.c.frontier, lambda frontier: frontier[1:], "frontier and tiles"),
        (schema.tree.c.frontier, swapped, "frontier and tiles"),
        (schema.tree.c.size, lambda _size: 6, "has 6 records, and had 10"),
    ],
)
def test_a_changed_log_is_not_signed(
    ledger: Database, column: Column[Any], change: Callable[[Any], Any], expected: str
) -> None:
    """What was changed behind the log's back is never vouched for, with news or without."""
    fill(ledger, 10)
    sign(ledger)
    rewrite(ledger, column, change)
    found = make(ledger)
    assert isinstance(found, Refuse)
    assert expected in found.problem


def test_another_key_signs_nothing_until_the_former_is_named(ledger: Database) -> None:
    """A lost key is told of, with what to do; a former key's checkpoints go on counting."""
    fill(ledger, 10)
    sign(ledger)
    commit(ledger, [logs.event(10)], now_ms=NOW)
    new = signer("new.example/log", Ed25519PrivateKey.generate())
    alone, with_former = LogKeys(new, (new.verifier,), {}), LogKeys(new, (new.verifier, vectors.LOG.verifier), {})
    found = make(ledger, keys=alone)
    assert isinstance(found, Refuse)
    assert "ledger.former_vkeys" in found.problem
    assert isinstance(make(ledger, keys=with_former), SignedCheckpoint)


def test_what_stands_against_a_key(ledger: Database) -> None:
    """An empty log begins with any key or none; one that was signed goes on with its own, or one that names it."""
    new = signer("new.example/log", Ed25519PrivateKey.generate())
    cases: list[tuple[LogKeys, str]] = [
        (KEYS, ""),
        (LogKeys(new, (new.verifier, vectors.LOG.verifier), {}), ""),
        (LogKeys(new, (new.verifier,), {}), "signed with another key"),
        (LogKeys(None, (), {}), "is not there: restore log.key"),
    ]
    with ledger.reading() as connection:
        assert [key_problem(connection, keys) for keys, _ in cases] == [""] * 4
    fill(ledger, 10)
    sign(ledger)
    with ledger.reading() as connection:
        for keys, expected in cases:
            assert expected in (found := key_problem(connection, keys))
            assert bool(expected) == bool(found)
    rewrite(ledger, schema.checkpoints.c.note, lambda _note: "x")
    with ledger.reading() as connection:
        # Changed by somebody is for verifying to tell; the workers go on.
        assert key_problem(connection, KEYS) == ""


def test_a_crash_before_the_commit_leaves_nothing(ledger: Database) -> None:
    """Signed and not kept is as good as not signed; the next look signs what is there then."""
    fill(ledger, 10)
    killed_at("COMMIT", lambda: make(Database(ledger.url, create=False)))
    with ledger.reading() as connection:
        assert newest(connection) is None
    commit(ledger, [logs.event(10)], now_ms=NOW)
    assert sign(ledger).checkpoint.size == 11


def test_a_crash_after_the_commit_loses_nothing(ledger: Database) -> None:
    """Kept before anybody saw it: the next look finds it, and signs no other of this size."""
    fill(ledger, 10)
    killed_at("INSERT INTO checkpoints", lambda: make(Database(ledger.url, create=False)))
    with ledger.reading() as connection:
        assert newest(connection) is None
    killed_at("COMMIT", lambda: make(Database(ledger.url, create=False)), after=True)
    with ledger.reading() as connection:
        assert newest(connection) is not None
    assert make(ledger) == Nothing()


def test_a_crash_while_a_cosignature_is_kept(ledger: Database) -> None:
    """Before the commit it is not there, and is asked for again; after it, it is, whole."""
    fill(ledger, 10)
    signed = sign(ledger)
    said = vectors.WITNESS.cosign(signed.note.text, time_s=1)
    for after, expected in ((False, 1), (True, 2)):
        killed_at("COMMIT", lambda: add_cosignature(Database(ledger.url, create=False), 10, said), after=after)
        with ledger.reading() as connection:
            stored = newest(connection)
        assert stored is not None
        assert len(stored.signed().note.signatures) == expected


def test_two_at_once_sign_once(ledger: Database, ledger_url: str) -> None:
    """Two processes with the same thought: one checkpoint, and no error."""
    fill(ledger, 10)
    others = [Database(ledger_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(make, others))
    for other in others:
        other.close()
    assert sorted(type(one).__name__ for one in found) == ["Nothing"] * 3 + ["SignedCheckpoint"]


def test_cosignatures_are_kept_once(ledger: Database) -> None:
    """The same witness again, with a later time, adds nothing; another does; what the log signed stays as it was."""
    fill(ledger, 10)
    signed = sign(ledger)
    said = vectors.WITNESS.cosign(signed.note.text, time_s=1)
    add_cosignature(ledger, 10, said)
    add_cosignature(ledger, 10, vectors.WITNESS.cosign(signed.note.text, time_s=2))
    other = replace(said, name="other.example")
    add_cosignature(ledger, 10, other)
    with ledger.reading() as connection:
        stored = newest(connection)
    assert stored is not None
    assert stored.signed().note == replace(signed.note, signatures=(*signed.note.signatures, said, other))


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (vectors.LOG.sign("x"), None),
        (replace(vectors.LOG.sign(vectors.CHECKPOINT.to_text()), name="x"), None),
        (vectors.LOG.sign(vectors.CHECKPOINT.to_text()), vectors.LOG.verifier),
    ],
)
def test_who_signed(signature: Signature, expected: object) -> None:
    """Only a key of the log's own name counts, and only rightly."""
    assert signed_by(Note(vectors.CHECKPOINT.to_text(), (signature,)), KEYS.logs) == expected


def test_a_key_does_not_sign_for_another_log() -> None:
    """A checkpoint under another origin, signed with our key, is none of ours."""
    text_of_other = vectors.CHECKPOINT.to_text().replace(vectors.ORIGIN, "other.example/log")
    assert signed_by(Note(text_of_other, (vectors.LOG.sign(text_of_other),)), KEYS.logs) is None
