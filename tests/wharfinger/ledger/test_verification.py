"""A log changed by direct SQL, column by column and row by row, on both databases: each change is found, and named."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, delete, func, insert, select, text, update

from tests.wharfinger.ledger import logs, vectors
from tests.wharfinger.ledger.logs import KEYS, NOW, WITNESSED, erase, erase_untold, fill, rewrite, sign, swapped
from wharfinger.ledger import schema
from wharfinger.ledger.checkpoint import Checkpoint, SignedCheckpoint
from wharfinger.ledger.checkpoint import sign as sign_checkpoint
from wharfinger.ledger.checkpoints import add_cosignature
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.log import read_tile, read_tree
from wharfinger.ledger.merkle import Frontier, leaf_hash
from wharfinger.ledger.pruning import Kept as Pruned
from wharfinger.ledger.pruning import prune
from wharfinger.ledger.raw import pack_raw
from wharfinger.ledger.reading import read_range
from wharfinger.ledger.record import AuditRecord, RecordKind, canonical, commitments
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.tiles import extend, root
from wharfinger.ledger.values import Entry
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.batches import BATCH
from wharfinger.ledger.verification.findings import Finding, Report, What
from wharfinger.ledger.verification.part import NoSuchRange, verify_hashes, verify_range
from wharfinger.ledger.verification.pool import look_in_processes
from wharfinger.ledger.verification.whole import verify_whole
from wharfinger.ledger.words import Words

R = schema.records.c
MOUNT, PUSH, ISSUED, OUTCOME, PULL = 1, 3, 0, 4, 6
SMALL, LARGE = 10, 600


def found(report: Report) -> set[tuple[str, int | None]]:
    """Kinds of findings, with the records they are about."""
    return {(one.what.value, one.seq) for one in report.findings.kept}


def kept(signed: SignedCheckpoint) -> list[Kept]:
    """A checkpoint kept elsewhere."""
    return [Kept(signed, "a file")]


@pytest.mark.parametrize("size", [5, 6, 255, 256, 257, LARGE])
def test_a_sound_log_is_proved(ledger: Database, size: int) -> None:
    """Of any shape: no tile full, one, some; in whole, by range, by hashes, and against what was kept."""
    fill(ledger, max(size // 2, 5))
    before = sign(ledger)
    fill_up(ledger, size)
    if size > max(size // 2, 5):
        sign(ledger)
    report = verify_whole(ledger, KEYS, kept=kept(before))
    assert report.findings.kept == []
    assert (report.size, report.records, report.raw_events, report.signed) == (size, size, size - 2, size)
    assert verify_hashes(ledger, KEYS, kept=kept(before)).proved
    for start, end in [(0, 1), (size - 1, None), (size // 2, size // 2 + 1), (0, None)]:
        assert verify_range(ledger, KEYS, start, end, kept=kept(before)).findings.kept == []


def fill_up(database: Database, size: int) -> None:
    """More pulls, until the log has this size."""
    start = logs.size_of(database)
    commit(database, [logs.event(number) for number in range(start, size)], now_ms=NOW + size)


@pytest.fixture
def pruned(ledger: Database) -> Database:
    """A log whose pulls were pruned, all but the last of them."""
    fill(ledger, LARGE)
    sign(ledger)
    assert prune(ledger, {Pruned.PULLS: 0}, now_ms=NOW + 10 * LARGE).counts[Pruned.PULLS] > 500
    sign(ledger)
    return ledger


def test_what_was_pruned_is_rightly_gone(pruned: Database) -> None:
    """The tree holds without its rows, in whole and by range; they are counted, and what was signed before still holds."""
    gone = logs.rows_of(pruned, "pruned")
    report = verify_whole(pruned, KEYS)
    assert (report.findings.kept, report.pruned) == ([], gone)
    assert report.records + gone == report.size == report.signed == LARGE + 1
    ranged = verify_range(pruned, KEYS, 0, None)
    assert (ranged.findings.kept, ranged.pruned) == ([], gone)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        pytest.param(lambda there, _gone, by: f"INSERT INTO pruned SELECT {there}, {by}", {PUSH}, id="added"),
        pytest.param(lambda _there, gone, _by: f"DELETE FROM pruned WHERE seq = {gone}", set(), id="taken away"),
        pytest.param(lambda there, _gone, _by: f"UPDATE pruned SET by = {there - 2}", {PUSH}, id="another record"),
        pytest.param(lambda _there, _gone, by: f"UPDATE records SET recorded_at = 9 WHERE seq = {by}", set(), id="its record"),
    ],
)
def test_who_says_pruned_must_forge_the_log(
    pruned: Database, change: Callable[[int, int, int], str], missing: set[int]
) -> None:
    """A row removed by hand and called pruned, or the record of the pruning changed: it is missing all the same."""
    remove(pruned, *missing)
    with pruned.writing() as connection:
        gone, by = connection.execute(select(schema.pruned).order_by(schema.pruned.c.seq).limit(1)).one()
        connection.execute(text(change(PUSH, gone, by)))
    found = verify_whole(pruned, KEYS).findings.kept
    assert (missing or {gone}) <= {one.seq for one in found if one.what is What.MISSING}


def test_what_was_erased_by_command_is_proved(ledger: Database) -> None:
    """The tree holds with what erasing kept of the values; everybody without a name leaves what the log says of itself alone."""
    fill(ledger, SMALL)
    assert prune(ledger, {Pruned.PULLS: 0}, now_ms=NOW + 10 * LARGE).counts[Pruned.PULLS]
    sign(ledger)
    with ledger.reading() as connection:
        accounts = {one.record.personal.account for one in read_range(connection, ledger.words, 0, SMALL)}
    erased = sum(erase_account(ledger, account, now_ms=NOW + SMALL).records for account in (*accounts, ""))
    report = verify_whole(ledger, KEYS)
    assert (report.findings.kept, report.erased) == ([], erased)
    assert erased > 1


def test_a_row_put_back_is_looked_at(pruned: Database) -> None:
    """What stands where a pruned record was must be that record."""
    with pruned.writing() as connection:
        gone = connection.execute(select(func.min(schema.pruned.c.seq))).scalar_one()
        row = dict(connection.execute(select(schema.records).where(R.seq == PUSH)).mappings().one())
        connection.execute(insert(schema.records).values(row | {"seq": gone}))
    found = verify_whole(pruned, KEYS).findings.kept
    assert gone in {one.seq for one in found}


def test_a_log_is_verified_while_it_grows(ledger: Database) -> None:
    """Others write, and sign, between one batch and the next; what was there at the beginning is what is proved."""
    fill(ledger, BATCH + 200)
    sign(ledger)
    grown: list[int] = []

    def grow(done: int, total: int) -> None:
        grown.append(done)
        fill_up(ledger, total + 10 * len(grown))
        sign(ledger)

    report = verify_whole(ledger, KEYS, progress=grow)
    assert (report.findings.kept, report.size, report.signed) == ([], BATCH + 200, BATCH + 200)
    assert grown == [BATCH, BATCH + 200]
    assert verify_whole(ledger, KEYS).proved


def test_several_processes_find_the_same(ledger: Database) -> None:
    """A sound log is proved, a changed one is not, with the same words, however many look."""
    fill(ledger, 5 * BATCH // 2)
    sign(ledger)
    told: list[int] = []

    def look(processes: int) -> Report:
        return verify_whole(ledger, KEYS, processes=processes, stretch=BATCH, progress=lambda done, _total: told.append(done))

    alone, together = look(1), look(2)
    assert (together.proved, together) == (True, alone)
    assert told == [BATCH, 2 * BATCH, 5 * BATCH // 2] * 2
    rewrite(ledger, R.size, lambda size: size + 1, seq=BATCH + 7)
    rewrite(ledger, R.event_key, flipped, seq=BATCH + 8)
    remove(ledger, 5 * BATCH // 2 - 1)
    tile(0, 1, lambda hashes: hashes + bytes(32))(ledger)
    alone, together = look(1), look(2)
    assert found(together) == {("changed", BATCH + 7), ("misfiled", BATCH + 8), ("missing", 5 * BATCH // 2 - 1), ("tile", None)}
    assert together == alone


def test_a_ledger_that_goes_away_while_many_look(tmp_path: Path) -> None:
    """Told as unavailable, by whichever process finds it."""
    with pytest.raises(LedgerUnavailable, match="no ledger"):
        list(look_in_processes(f"sqlite:///{tmp_path}/ledger.db", 10, 2))


# A column's change, and the record at which it is found. Values of the log's own: another word, another code.


def another_word(kind: str) -> Callable[[Database], int]:
    """A number of another word of a kind, made for it."""

    def make(database: Database) -> int:
        with database.writing() as connection:
            number = connection.execute(select(func.max(schema.words.c.id))).scalar_one() + 1
            row = {"id": number, "kind": schema.WORD_KINDS.index(kind) + 1, "text": "another"}
            connection.execute(insert(schema.words).values(row))
        return int(number)

    return make


def flipped(data: bytes) -> bytes:
    """The last bit is another."""
    return data[:-1] + bytes([data[-1] ^ 1])


CHANGES: list[tuple[Column[Any], Callable[[Any], Any] | str, int]] = [
    (R.kind, lambda code: code + 1, MOUNT),
    (R.recorded_at, lambda number: number + 1, MOUNT),
    (R.occurred_at, lambda number: number - 1, MOUNT),
    (R.source, "source", MOUNT),
    (R.event_key, flipped, MOUNT),
    (R.event_id, flipped, MOUNT),
    (R.event_sha, flipped, MOUNT),
    (R.event_sha, lambda _sha: None, MOUNT),
    (R.action, lambda code: code + 1, MOUNT),
    (R.object_kind, lambda code: code + 1, MOUNT),
    (R.repository, "repository", MOUNT),
    (R.from_repository, "repository", MOUNT),
    (R.tag, lambda tag: tag + "x", MOUNT),
    (R.digest, flipped, MOUNT),
    (R.digest, lambda _digest: None, MOUNT),
    (R.previous_digest, flipped, PUSH),
    (R.media_type, "media_type", MOUNT),
    (R.size, lambda number: number + 1, MOUNT),
    (R.method, lambda code: code + 1, MOUNT),
    (R.request_id, flipped, MOUNT),
    (R.instance_id, "instance_id", MOUNT),
    (R.registry_host, "registry_host", MOUNT),
    (R.verdict, lambda code: code + 1, MOUNT),
    (R.reason, lambda reason: reason + "x", MOUNT),
    (R.flags, "flags", MOUNT),
    (R.jti, flipped, MOUNT),
    (R.jti, flipped, ISSUED),
    (R.credential, "credential", MOUNT),
    (R.detail, lambda detail: detail.replace("push", "pull"), MOUNT),
    (R.detail, lambda detail: detail.replace("web", "api"), OUTCOME),
    (R.secret, flipped, MOUNT),
    (R.secret, lambda _secret: None, MOUNT),
    (R.account, "account", MOUNT),
    (R.actor, lambda actor: actor + "x", PULL),
    (R.client_addr, "client_addr", MOUNT),
    (R.claimed_addr, "client_addr", MOUNT),
    (R.user_agent, "user_agent", MOUNT),
]
"""Every column of ``records`` but its number; a text instead of a change: the number of another word of that kind."""


def _named(value: object) -> str:
    return value.name if isinstance(value, Column) else ""


@pytest.mark.parametrize(("column", "change", "seq"), CHANGES, ids=_named)
def test_every_committed_column_of_a_record(
    ledger: Database, column: Column[Any], change: Callable[[Any], Any] | str, seq: int
) -> None:
    """One value of one row is another: that record is named, by the whole and by a range that holds it."""
    fill(ledger, SMALL)
    sign(ledger)
    number = another_word(change)(ledger) if isinstance(change, str) else 0
    rewrite(ledger, column, (lambda _old: number) if isinstance(change, str) else change, seq=seq)
    for report in (verify_whole(ledger, KEYS), verify_range(ledger, KEYS, seq, seq + 1)):
        assert {one.seq for one in report.findings.kept if one.seq is not None} == {seq}
        assert {one.what for one in report.findings.kept} & {What.CHANGED, What.MISFILED}


MISFILED: list[tuple[Column[Any], Callable[[Any], Any], int]] = [
    (R.action, lambda code: code - len(schema.CODES), MOUNT),
    (R.verdict, lambda code: code - len(schema.CODES), MOUNT),
    (R.event_key, flipped, MOUNT),
    (R.event_id, lambda _packed: b"\x00" + logs.JTI.encode(), ISSUED),
    (R.digest, lambda packed: b"\x00sha256:" + packed[1:].hex().encode(), MOUNT),
    (R.request_id, lambda _packed: b"\x000f47b96d-80dc-4f23-986b-8ad3891308dc", MOUNT),
    (R.jti, lambda packed: bytes([packed[0] | 0x10]) + packed[1:], MOUNT),
    (R.previous_digest, lambda _packed: b"", MOUNT),
    (R.actor, lambda _actor: f"zoë#{logs.JTI}", MOUNT),
]


@pytest.mark.parametrize(("column", "change", "seq"), MISFILED, ids=_named)
def test_a_value_in_another_spelling(ledger: Database, column: Column[Any], change: Callable[[Any], Any], seq: int) -> None:
    """The leaf holds, but no index finds the record: it is hidden from questions, and named."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, column, change, seq=seq)
    assert found(verify_whole(ledger, KEYS)) == {("misfiled", seq)}


def test_a_word_of_another_kind(ledger: Database) -> None:
    """The same text under a number that no search for repositories looks at."""
    fill(ledger, SMALL)
    sign(ledger)
    with ledger.writing() as connection:
        connection.execute(insert(schema.words).values(id=999, kind=schema.WORD_KINDS.index("account") + 1, text="shop/cart"))
    rewrite(ledger, R.repository, lambda _number: 999, seq=PULL)
    assert found(verify_whole(ledger, KEYS)) == {("misfiled", PULL)}


@pytest.mark.parametrize("change", ["text", "kind", "gone"])
def test_the_dictionary(ledger: Database, change: str) -> None:
    """A word is changed, filed elsewhere or removed: every record that names it is named. What this process remembers is no help."""
    fill(ledger, SMALL)
    sign(ledger)
    assert verify_whole(ledger, KEYS).proved
    table = schema.words
    mine = (table.c.text == "shop/base", table.c.kind == schema.WORD_KINDS.index("repository") + 1)
    with ledger.writing() as connection:
        if change == "gone":
            connection.execute(delete(table).where(*mine))
        else:
            connection.execute(update(table).where(*mine).values({change: "shop/bass" if change == "text" else 1}))
    assert {seq for _, seq in found(verify_whole(ledger, KEYS))} == {MOUNT}


def test_an_erased_record_is_proved_by_its_commitments(ledger: Database) -> None:
    """Erasure, before or after signing, leaves every proof as it was."""
    fill(ledger, SMALL)
    erase(ledger, MOUNT)
    signed = sign(ledger)
    erase(ledger, PULL)
    report = verify_whole(ledger, KEYS, kept=kept(signed))
    assert (report.findings.kept, report.erased) == ([], 2)


def test_values_that_were_removed_by_hand(ledger: Database) -> None:
    """The leaf holds, for the commitments were kept; but the log tells of no erasure, and a told one beside it is no excuse."""
    fill(ledger, SMALL)
    erase(ledger, PULL)
    sign(ledger)
    erase_untold(ledger, MOUNT)
    assert found(verify_whole(ledger, KEYS)) == {("untold", MOUNT)}
    assert found(verify_range(ledger, KEYS, MOUNT, MOUNT + 1)) == {("untold", MOUNT)}


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param('{"numbers":"1,6","records":2}', id="one more"),
        pytest.param('{"numbers":"1"}', id="another"),
        pytest.param('{"records":1}', id="without numbers"),
        pytest.param('{"numbers":"99999999999999999999"}', id="beyond the log"),
        pytest.param('{"numbers":"0-9999999999999999"}', id="everything"),
        pytest.param("[]", id="of another shape"),
    ],
)
def test_who_says_erased_must_forge_the_log(ledger: Database, detail: str) -> None:
    """The record of another erasure, changed to tell of this one too: it is no leaf of the log, and tells of nothing."""
    fill(ledger, SMALL)
    erase(ledger, PULL)
    sign(ledger)
    erase_untold(ledger, MOUNT)
    rewrite(ledger, R.detail, lambda _old: detail, seq=SMALL)
    assert found(verify_whole(ledger, KEYS)) == {("untold", MOUNT), ("untold", PULL), ("changed", SMALL)}


@pytest.mark.parametrize(
    "detail",
    ['{"records":1}', '{"numbers":"x"}', '{"numbers":7}', "[]", "", '{"numbers":"0-9999999999999999"}', '{"numbers":"-1"}'],
)
def test_an_erasure_that_says_nothing_we_know(ledger: Database, detail: str) -> None:
    """In the log, as a newer version or whoever can append may put it there: nothing breaks, and nothing after it is excused."""
    fill(ledger, SMALL)
    record = AuditRecord(kind=RecordKind.ERASURE, recorded_at=NOW, event_id="erasure/x", detail=detail)
    commit(ledger, [Entry(record)], now_ms=NOW)
    fill_up(ledger, SMALL + 5)
    sign(ledger)
    erase_untold(ledger, SMALL + 2)
    assert found(verify_whole(ledger, KEYS)) == {("untold", SMALL + 2)}


def put_back(column: Column[Any], value: Any) -> Callable[[Database], None]:
    """A change to the erased record's row."""
    return lambda database: rewrite(database, column, lambda _old: value, seq=MOUNT)


def forget_commitments(database: Database) -> None:
    """Remove what was kept of an erased record."""
    with database.writing() as connection:
        connection.execute(delete(schema.erased).where(schema.erased.c.seq == MOUNT))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda database: rewrite(database, schema.erased.c.commitments, flipped, seq=MOUNT), "changed"),
        (lambda database: rewrite(database, schema.erased.c.commitments, lambda _old: b"", seq=MOUNT), "changed"),
        (lambda database: rewrite(database, schema.erased.c.commitments, lambda old: b"\xff" + old[1:], seq=MOUNT), "changed"),
        (lambda database: rewrite(database, schema.erased.c.commitments, lambda old: old + bytes(32), seq=MOUNT), "changed"),
        (forget_commitments, "changed"),
        (put_back(R.tag, "x"), "changed"),
        (put_back(R.account, 1), "misfiled"),
        (put_back(R.actor, "somebody"), "misfiled"),
        (put_back(R.secret, bytes(16)), "changed"),
    ],
)
def test_an_erased_record_that_was_changed(ledger: Database, change: Callable[[Database], None], expected: str) -> None:
    """Its commitments, its public fields, or values put into its row."""
    fill(ledger, SMALL)
    sign(ledger)
    erase(ledger, MOUNT)
    change(ledger)
    assert found(verify_whole(ledger, KEYS)) == {(expected, MOUNT)}


def test_values_and_commitments_both(ledger: Database) -> None:
    """A record that was not erased has nothing kept."""
    fill(ledger, SMALL)
    sign(ledger)
    with ledger.writing() as connection:
        connection.execute(insert(schema.erased).values(seq=MOUNT, commitments=b""))
    assert found(verify_whole(ledger, KEYS)) == {("misfiled", MOUNT)}


def bomb() -> bytes:
    """A few kilobytes that unfold to 80 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"\x01" + packer.compress(bytes(80 << 20)) + packer.flush()


@pytest.mark.parametrize("body", [pack_raw(b'{"number":2}'), b"", b"\x01noise", b"\x02" + pack_raw(b"{}")[1:], bomb()], ids=len)
def test_a_stored_event_that_is_another(ledger: Database, body: bytes) -> None:
    """Another event, a damaged one, one that would fill the memory: its record is named, and still proved itself."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, schema.raw_events.c.body, lambda _body: body, seq=MOUNT)
    assert found(verify_whole(ledger, KEYS)) == {("raw_event", MOUNT)}


def test_a_stored_event_that_no_hash_holds(ledger: Database) -> None:
    """Put beside an issuance, or left after an erasure."""
    fill(ledger, SMALL)
    sign(ledger)
    erase(ledger, PULL)
    with ledger.writing() as connection:
        connection.execute(insert(schema.raw_events), [{"seq": seq, "body": pack_raw(b"{}")} for seq in (ISSUED, PULL)])
    assert found(verify_whole(ledger, KEYS)) == {("raw_event", ISSUED), ("raw_event", PULL)}


def test_a_stored_event_may_be_gone(ledger: Database) -> None:
    """It is kept by policy; its hash stays in the record."""
    fill(ledger, SMALL)
    sign(ledger)
    with ledger.writing() as connection:
        connection.execute(delete(schema.raw_events))
    assert verify_whole(ledger, KEYS).proved


def remove(database: Database, *numbers: int) -> None:
    """Remove rows of records, with all that hangs on them."""
    with database.writing() as connection:
        connection.execute(delete(schema.attempts))
        for table in (schema.raw_events, schema.erased, schema.issuances, schema.deliveries, schema.records):
            connection.execute(delete(table).where(table.c.seq.in_(numbers)))


@pytest.mark.parametrize("seq", range(SMALL))
def test_any_row_removed(ledger: Database, seq: int) -> None:
    """The gap is named by its number."""
    fill(ledger, SMALL)
    sign(ledger)
    remove(ledger, seq)
    report = verify_whole(ledger, KEYS)
    assert {one for one in found(report) if one[0] != "beside"} == {("missing", seq)}
    assert found(verify_range(ledger, KEYS, seq, seq + 1)) == {("missing", seq)}


def exchange(database: Database, one: int, other: int) -> None:
    """Put each of two records' rows, and stored events, in the other's place."""
    names = [column.name for column in schema.records.columns if column.name != "seq"]
    with database.writing() as connection:
        query = select(*(R[name] for name in names))
        rows = [connection.execute(query.where(R.seq == seq)).mappings().one() for seq in (one, other)]
        raw = schema.raw_events
        bodies = [connection.execute(select(raw.c.body).where(raw.c.seq == seq)).scalar_one() for seq in (one, other)]
        for seq, row, body in zip((other, one), rows, bodies, strict=True):
            connection.execute(update(schema.records).where(R.seq == seq).values(dict(row)))
            connection.execute(update(raw).where(raw.c.seq == seq).values(body=body))


def test_two_rows_swapped(ledger: Database) -> None:
    """Each is named as the other's."""
    fill(ledger, SMALL)
    sign(ledger)
    exchange(ledger, 5, 8)
    report = verify_whole(ledger, KEYS)
    assert found(report) == {("reordered", 5), ("reordered", 8)}
    assert {one.detail for one in report.findings.kept} == {"its row is that of record 8", "its row is that of record 5"}


def test_many_changed_rows_are_all_counted(ledger: Database) -> None:
    """More than are kept in mind to be tried in each other's places."""
    fill(ledger, 300)
    sign(ledger)
    rewrite(ledger, R.size, lambda size: size + 1)
    report = verify_whole(ledger, KEYS)
    assert report.findings.counts == {What.CHANGED: 300}


def copy_behind(database: Database, seq: int) -> None:
    """A row behind the log's end, as good as any other."""
    with database.writing() as connection:
        row = dict(connection.execute(select(schema.records).where(R.seq == PULL)).mappings().one())
        connection.execute(insert(schema.records).values(row | {"seq": seq, "event_key": b"k" * 8}))


def leaf_of(database: Database, seq: int) -> bytes:
    """A row's leaf, as the sequencer would make it."""
    with database.reading() as connection:
        (one,) = read_range(connection, Words(), seq, seq + 1)
    return leaf_hash(canonical(one.record, seq=seq, committed=commitments(one.record, one.secret or b"")))


def test_a_row_added_behind_the_end(ledger: Database) -> None:
    """Alone; with its leaf; with the log's size: each step is found, until the frontier is made to fit too."""
    fill(ledger, SMALL)
    sign(ledger)
    copy_behind(ledger, SMALL)
    assert found(verify_whole(ledger, KEYS)) == {("behind", SMALL)}
    leaf = leaf_of(ledger, SMALL)
    rewrite(ledger, schema.tiles.c.hashes, lambda hashes: hashes + leaf, level=0, number=0)
    assert found(verify_whole(ledger, KEYS)) == {("behind", SMALL), ("tile", None)}
    rewrite(ledger, schema.tree.c.size, lambda size: size + 1)
    assert ("tree", None) in found(verify_whole(ledger, KEYS))


def test_what_nobody_can_tell(ledger: Database) -> None:
    """A record appended exactly as the sequencer does, by somebody who can write to the database, is one more record.

    The log proves that what was signed is unchanged; not that what is appended is true (docs/audit.md). It is not signed yet,
    and that is told.
    """
    fill(ledger, SMALL)
    sign(ledger)
    copy_behind(ledger, SMALL)
    rewrite(ledger, R.event_key, lambda _key: event_key_of(ledger), seq=SMALL)
    rebuild_all(ledger, SMALL + 1)
    report = verify_whole(ledger, KEYS)
    assert (report.findings.kept, report.size, report.signed) == ([], SMALL + 1, SMALL)


def event_key_of(database: Database) -> Any:
    """The key under which the copied record is looked for."""
    with database.reading() as connection:
        return connection.execute(select(R.event_key).where(R.seq == PULL)).scalar_one()


def rebuild_all(database: Database, size: int) -> None:
    """Make tiles, frontier and size anew from the rows, as somebody would who knows how and covers the traces."""
    leaves = [leaf_of(database, seq) for seq in range(size)]
    frontier = Frontier().append(leaves)
    with database.writing() as connection:
        last = connection.execute(select(R.recorded_at).where(R.seq == size - 1)).scalar_one()
        connection.execute(delete(schema.tiles))
        rows = [
            {"level": level, "number": number, "hashes": hashes}
            for (level, number), hashes in extend(lambda _level, _number: b"", 0, leaves).items()
        ]
        connection.execute(insert(schema.tiles), rows)
        connection.execute(update(schema.tree).values(size=size, frontier=frontier.to_bytes(), recorded_at=last))


@pytest.mark.parametrize("seq", [7, 300, 599])
def test_a_change_that_covers_its_traces_is_found_by_what_was_signed(ledger: Database, seq: int) -> None:
    """Row, tiles and frontier changed together: the ledger's own checkpoint does not hold, and says between which records."""
    fill(ledger, LARGE // 2)
    sign(ledger)
    fill_up(ledger, LARGE)
    newest = sign(ledger)
    rewrite(ledger, R.size, lambda size: size + 1, seq=seq)
    rebuild_all(ledger, LARGE)
    among = "records 0 to 299" if seq < LARGE // 2 else "records 300 to 599"
    for report in (verify_whole(ledger, KEYS), verify_hashes(ledger, KEYS)):
        (one,) = report.findings.kept
        assert one.what is What.REWRITTEN
        assert among in one.detail
    with ledger.writing() as connection:
        connection.execute(delete(schema.checkpoints))
    assert found(verify_whole(ledger, KEYS)) == {("unsigned", None)}
    # Signed anew, with the log's own key even: only what was kept elsewhere tells.
    sign(ledger)
    assert verify_whole(ledger, KEYS).proved
    for report in (
        verify_whole(ledger, KEYS, kept=kept(newest)),
        verify_hashes(ledger, KEYS, kept=kept(newest)),
        verify_range(ledger, KEYS, seq, seq + 1, kept=kept(newest)),
    ):
        assert {one.what for one in report.findings.kept} <= {What.REWRITTEN, What.CHECKPOINT}
        assert not report.proved


def test_a_log_cut_short(ledger: Database) -> None:
    """Its last records gone, with everything made to fit: a checkpoint kept elsewhere knows that there were more."""
    fill(ledger, SMALL)
    signed = sign(ledger)
    remove(ledger, 8, 9)
    rebuild_all(ledger, 8)
    assert found(verify_whole(ledger, KEYS)) == {("truncated", None)}
    with ledger.writing() as connection:
        connection.execute(delete(schema.checkpoints))
    sign(ledger)
    assert verify_whole(ledger, KEYS).proved
    for report in (verify_whole(ledger, KEYS, kept=kept(signed)), verify_hashes(ledger, KEYS, kept=kept(signed))):
        (one,) = report.findings.kept
        assert one.what is What.TRUNCATED
        assert "records 8 to 9 are gone" in one.detail


def tile(level: int, number: int, change: Callable[[bytes], bytes]) -> Callable[[Database], None]:
    """A change to one tile."""
    return lambda database: rewrite(database, schema.tiles.c.hashes, change, level=level, number=number)


def no_tile(level: int, number: int) -> Callable[[Database], None]:
    """A tile removed."""

    def run(database: Database) -> None:
        with database.writing() as connection:
            connection.execute(delete(schema.tiles).where(schema.tiles.c.level == level, schema.tiles.c.number == number))

    return run


def more_tile(level: int, number: int) -> Callable[[Database], None]:
    """A tile added."""

    def run(database: Database) -> None:
        with database.writing() as connection:
            connection.execute(insert(schema.tiles).values(level=level, number=number, hashes=bytes(32)))

    return run


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (tile(0, 0, flipped), "tile/0/000: hash 255 is not that of record 255"),
        (tile(0, 2, flipped), "tile/0/002: hash 87 is not that of record 599"),
        (tile(0, 1, lambda hashes: hashes[:-5]), "hash 255 is not that of record 511"),
        (tile(0, 0, lambda hashes: hashes + bytes(32)), "tile/0/000 holds more than 256 hashes"),
        (tile(0, 2, lambda hashes: hashes + bytes(32)), "tile/0/002.p/88 holds hashes of records that the log does not have"),
        (
            tile(1, 0, lambda hashes: flipped(hashes[:32]) + hashes[32:]),
            "tile/1/000: hash 0 is not the root of the records 0 to 255",
        ),
        (tile(1, 0, lambda hashes: hashes[:32]), "tile/1/000: hash 1 is not the root of the records 256 to 511"),
        (no_tile(0, 1), "tile/0/001 is missing"),
        (no_tile(0, 2), "tile/0/002 is missing"),
        (no_tile(1, 0), "tile/1/000 is missing"),
        (more_tile(0, 3), "tile/0/003 stands outside the log"),
        (more_tile(1, 1), "tile/1/001 stands outside the log"),
        (more_tile(2, 0), "tile/2/000 stands outside the log"),
    ],
)
def test_tiles(ledger: Database, change: Callable[[Database], None], names: str) -> None:
    """A hash changed, torn off or added; a tile gone or too many: told by its path, and no record is blamed for it."""
    fill(ledger, LARGE)
    sign(ledger)
    change(ledger)
    report = verify_whole(ledger, KEYS)
    assert {one.what for one in report.findings.kept} == {What.TILE}
    assert any(names in one.detail for one in report.findings.kept), report.findings.kept


def test_a_row_and_its_hash_changed_alike(ledger: Database) -> None:
    """The hash above them was made of another: the tile is named, and the checkpoint does not hold."""
    fill(ledger, LARGE)
    sign(ledger)
    rewrite(ledger, R.size, lambda size: size + 1, seq=7)
    leaf = leaf_of(ledger, 7)
    tile(0, 0, lambda hashes: hashes[: 7 * 32] + leaf + hashes[8 * 32 :])(ledger)
    report = verify_whole(ledger, KEYS)
    assert {one.what for one in report.findings.kept} == {What.TILE, What.TREE, What.REWRITTEN}
    assert {one.what for one in verify_range(ledger, KEYS, 7, 8).findings.kept} == {What.TILE}


def test_a_row_and_its_hash_changed_differently(ledger: Database) -> None:
    """Neither is what the hash above was made of: the record is named."""
    fill(ledger, LARGE)
    sign(ledger)
    rewrite(ledger, R.size, lambda size: size + 1, seq=7)
    tile(0, 0, lambda hashes: flipped(hashes[: 8 * 32]) + hashes[8 * 32 :])(ledger)
    assert ("changed", 7) in found(verify_whole(ledger, KEYS))


def test_upper_tiles_are_held_to_their_parents(ledger: Database) -> None:
    """A range proves up to the root: a parent that was changed is told of."""
    fill(ledger, LARGE)
    sign(ledger)
    tile(1, 0, lambda hashes: flipped(hashes[:32]) + hashes[32:])(ledger)
    report = verify_range(ledger, KEYS, 3, 4)
    assert What.TILE in report.findings.counts
    assert "tile/1/000: hash 0 is not the root of tile/0/000" in report.findings.kept[0].detail


@pytest.mark.parametrize(
    ("column", "change", "expected"),
    [
        (schema.tree.c.frontier, swapped, {"tree"}),
        (schema.tree.c.frontier, lambda frontier: frontier[32:], {"tree"}),
        (schema.tree.c.recorded_at, lambda number: number + 1, {"tree"}),
        (schema.tree.c.size, lambda size: size - 4, {"tree", "behind", "tile", "truncated"}),
        (schema.tree.c.size, lambda _size: 12, {"tree"}),
        (schema.tree.c.size, lambda _size: 1 << 40, {"tree"}),
        (schema.tree.c.size, lambda _size: -10, {"tree", "behind", "tile", "truncated"}),
    ],
)
def test_the_sequencers_row(ledger: Database, column: Column[Any], change: Callable[[Any], Any], expected: set[str]) -> None:
    """Frontier, time and size; however large the size claims to be, looking ends."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, column, change)
    assert {what for what, _ in found(verify_whole(ledger, KEYS))} == expected
    assert not verify_hashes(ledger, KEYS).proved


@pytest.mark.parametrize(
    "change", ["DELETE FROM tree", "INSERT INTO tree SELECT 2, size, frontier, recorded_at, epoch FROM tree"]
)
def test_the_sequencers_row_gone_or_doubled(ledger: Database, change: str) -> None:
    """Without it the log has no size, and nothing else can be said."""
    fill(ledger, SMALL)
    sign(ledger)
    with ledger.writing() as connection:
        connection.execute(text(change))
    for report in (verify_whole(ledger, KEYS), verify_hashes(ledger, KEYS), verify_range(ledger, KEYS, 0, 1)):
        assert found(report) == {("tree", None)}


CP = schema.checkpoints.c


@pytest.mark.parametrize(
    ("column", "change", "expected"),
    [
        (CP.size, lambda size: size - 1, {"checkpoint", "unsigned"}),
        (CP.size, lambda size: -size, {"checkpoint", "unsigned"}),
        (CP.root, flipped, {"checkpoint"}),
        (CP.note, lambda note: note.replace("\n10\n", "\n9\n"), {"checkpoint", "unsigned"}),
        (CP.note, lambda note: note[:-6] + "AAA=\n", {"checkpoint", "unsigned"}),
        (CP.note, lambda _note: "", {"checkpoint", "unsigned"}),
        (CP.note, lambda note: note.replace(vectors.ORIGIN, "other.example/log"), {"checkpoint", "unsigned"}),
    ],
)
def test_checkpoints(ledger: Database, column: Column[Any], change: Callable[[Any], Any], expected: set[str]) -> None:
    """Row or note changed: told, and what is wrongly signed vouches for nothing."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, column, change)
    assert {what for what, _ in found(verify_whole(ledger, KEYS))} == expected
    assert not verify_hashes(ledger, KEYS).proved


def test_an_old_checkpoint_under_another_size(ledger: Database) -> None:
    """Moved before or behind the others: it is told of, and the others go on holding."""
    fill(ledger, SMALL)
    sign(ledger)
    fill_up(ledger, 20)
    sign(ledger)
    for moved in (-5, 15, 1 << 40):
        rewrite(ledger, CP.size, lambda _size, moved=moved: moved, root=first_root(ledger))
        assert found(verify_whole(ledger, KEYS)) == {("checkpoint", None)}


def first_root(database: Database) -> Any:
    """The root of the checkpoint of ten records, wherever it is."""
    with database.reading() as connection:
        return connection.execute(select(CP.root).order_by(CP.made_at, CP.size)).scalars().all()[0]


def test_a_log_that_signed_two_histories(ledger: Database) -> None:
    """A checkpoint kept elsewhere, rightly signed, that a later one contradicts: the log told somebody something else."""
    fill(ledger, SMALL)
    sign(ledger)
    other = sign_checkpoint(Checkpoint(vectors.ORIGIN, 7, b"x" * 32), vectors.LOG)
    (one,) = verify_whole(ledger, KEYS, kept=kept(other)).findings.kept
    assert one.what is What.CHECKPOINT
    assert "never of this log" in one.detail


def test_the_empty_tree(ledger: Database) -> None:
    """A checkpoint of no records says the hash of nothing, or is none of this log."""
    assert verify_whole(ledger, KEYS).proved
    fill(ledger, SMALL)
    sign(ledger)
    right = sign_checkpoint(Checkpoint(vectors.ORIGIN, 0, Frontier().root()), vectors.LOG)
    wrong = sign_checkpoint(Checkpoint(vectors.ORIGIN, 0, b"x" * 32), vectors.LOG)
    assert verify_whole(ledger, KEYS, kept=kept(right)).proved
    assert found(verify_whole(ledger, KEYS, kept=kept(wrong))) == {("checkpoint", None)}


def test_witnesses(ledger: Database) -> None:
    """Cosignatures of known witnesses are counted; a wrong one is told of; a stranger's is nothing."""
    fill(ledger, SMALL)
    signed = sign(ledger)
    add_cosignature(ledger, SMALL, vectors.WITNESS.cosign(signed.note.text, time_s=1))
    assert verify_whole(ledger, WITNESSED).cosignatures == 1
    other = vectors.WITNESS.cosign("another text\n", time_s=1).line()
    rewrite(ledger, CP.note, lambda _note: signed.note.to_bytes().decode() + other)
    assert found(verify_whole(ledger, WITNESSED)) == {("cosignature", None)}
    assert verify_whole(ledger, KEYS).proved


BESIDE: list[tuple[Column[Any], Callable[[Any], Any]]] = [
    (schema.issuances.c.jti, flipped),
    (schema.issuances.c.seq, lambda _seq: PULL),
    (schema.issuances.c.expires_at, lambda number: number + 1),
    (schema.tags.c.digest, flipped),
    (schema.tags.c.digest, lambda _digest: None),
    (schema.tags.c.seq, lambda _seq: PULL),
    (schema.tags.c.seq, lambda _seq: 2),
    (schema.tags.c.seq, lambda _seq: 999),
    (schema.tags.c.tag, lambda tag: tag + "x"),
    (schema.tags.c.source, lambda number: number + 1),
    (schema.tags.c.repository, lambda number: number + 1),
    (schema.deliveries.c.seq, lambda _seq: PUSH),
    (schema.deliveries.c.rule, lambda rule: rule + "x"),
    (schema.deliveries.c.target, lambda target: target + "x"),
    (schema.deliveries.c.state, lambda _state: "failed"),
    (schema.deliveries.c.reason, lambda _reason: "x"),
    (schema.deliveries.c.fence, lambda fence: fence - 1),
]


@pytest.mark.parametrize(("column", "change"), BESIDE, ids=_named)
def test_what_stands_beside_the_log(ledger: Database, column: Column[Any], change: Callable[[Any], Any]) -> None:
    """Rows of tokens, tags and deliveries are derived from the log; one that says otherwise is told of."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, column, change)
    assert {what for what, _ in found(verify_whole(ledger, KEYS))} == {"beside"}


def test_a_delivery_that_goes_on(ledger: Database) -> None:
    """Waiting again, or claimed again since its outcome: that is no contradiction."""
    fill(ledger, SMALL)
    sign(ledger)
    rewrite(ledger, schema.deliveries.c.state, lambda _state: "waiting")
    assert verify_whole(ledger, KEYS).proved
    rewrite(ledger, schema.deliveries.c.fence, lambda fence: fence + 1)
    rewrite(ledger, schema.deliveries.c.state, lambda _state: "failed")
    assert verify_whole(ledger, KEYS).proved


NOT_COMMITTED = {
    "tree.epoch": "when words were removed; says nothing of records",
    "tree.id": "there is one row",
    "checkpoints.made_at": "our clock's word; witnesses have their own",
    "issuances.used_at": "when it was used first, for pruning",
    "forwards.name": "operation: which other system",
    "forwards.seq": "operation: how far it has come",
    "forwards.updated_at": "operation",
    "deliveries.id": "a row without an outcome in the log is one that waits",
    "deliveries.created_at": "operation",
    "deliveries.updated_at": "operation",
    "deliveries.due_at": "operation",
    "deliveries.attempts": "operation",
    "deliveries.lease_until": "operation",
    "deliveries.stirred": "operation",
    "deliveries.decisions": "what guards said on the way; what came of it is in the log",
    "votes.delivery": "a vote counts by what its record says, which the log has",
    "votes.seq": "the same",
    "pauses.rule": "operation; who paused what is in the log",
    "pauses.seq": "the same",
    "bad_digests.digest": "operation; who marked what, and what was undone, is in the log",
    "bad_digests.target": "the same",
    "bad_digests.seq": "the same",
    "bad_digests.why": "the same",
    "bad_digests.at": "the same",
    "deliveries.noted": "operation: what a target began; the outcome is in the log",
    "attempts.delivery": "operation; the outcome is in the log",
    "attempts.attempt": "operation",
    "attempts.started_at": "operation",
    "attempts.ended_at": "operation",
    "attempts.outcome": "operation",
    "attempts.detail": "operation",
    "instances.source": "who was heard when, for finding gaps; each gap found is a record",
    "instances.instance_id": "the same",
    "instances.first_at": "the same",
    "instances.last_at": "the same",
}
TESTED_ELSEWHERE = {
    "pruned.seq", "pruned.by",
    "records.seq", "words.id", "words.kind", "words.text", "erased.seq", "erased.commitments", "raw_events.seq", "raw_events.body",
    "tiles.level", "tiles.number", "tiles.hashes", "tree.size", "tree.frontier", "tree.recorded_at", "checkpoints.size",
    "checkpoints.root", "checkpoints.note",
}  # fmt: skip


def test_every_column_is_accounted_for() -> None:
    """A column that is added is tested here, or it is said why it cannot be."""
    tested = {f"{column.table.name}.{column.name}" for column, *_ in (*CHANGES, *BESIDE)}
    columns = {f"{table.name}.{column.name}" for table in schema.metadata.tables.values() for column in table.columns}
    assert columns == tested | TESTED_ELSEWHERE | set(NOT_COMMITTED)


@pytest.mark.parametrize(("start", "end"), [(0, 11), (10, None), (5, 5), (-1, 3), (6, 5)])
def test_ranges_that_are_not_there(ledger: Database, start: int, end: int | None) -> None:
    """Empty ones, and those beyond the end."""
    fill(ledger, SMALL)
    with pytest.raises(NoSuchRange, match="has 10 records"):
        verify_range(ledger, KEYS, start, end)


def test_a_range_looks_at_nothing_else(ledger: Database) -> None:
    """What is wrong in another tile is another question."""
    fill(ledger, LARGE)
    sign(ledger)
    rewrite(ledger, R.size, lambda size: size + 1, seq=599)
    report = verify_range(ledger, KEYS, 7, 256)
    assert (report.proved, report.records) == (True, 256)
    assert found(verify_range(ledger, KEYS, 256, None)) == {("changed", 599)}


def test_a_range_over_several_batches(ledger: Database) -> None:
    """Wherever it begins, each record is looked at once, and told of once."""
    fill(ledger, BATCH + 300)
    sign(ledger)
    for seq in (10, BATCH + 1, BATCH + 299):
        rewrite(ledger, R.size, lambda size: size + 1, seq=seq)
    report = verify_range(ledger, KEYS, 7, None)
    assert report.records == BATCH + 300
    assert [one.seq for one in report.findings.kept] == [10, BATCH + 1, BATCH + 299]


def test_findings_are_bounded(ledger: Database) -> None:
    """All are counted, a thousand are kept."""
    fill(ledger, 1_100)
    sign(ledger)
    remove(ledger, *range(5, 1_100))
    report = verify_whole(ledger, KEYS)
    assert report.findings.counts[What.MISSING] == 1_095
    assert len(report.findings.kept) == 1_000


def test_a_finding_names_its_record() -> None:
    """As people read it."""
    assert str(Finding(What.MISSING, "its row is gone", 7)) == "record 7: its row is gone"
    assert str(Finding(What.TREE, "torn")) == "torn"


def test_tiles_give_the_signed_root(ledger: Database) -> None:
    """What is signed is the root of the tiles, and of the frontier."""
    fill(ledger, LARGE)
    signed = sign(ledger)
    with ledger.reading() as connection:
        tree = read_tree(connection)
        by_tiles = root(lambda level, number: read_tile(connection, level, number), tree.size)
    assert signed.checkpoint.root == by_tiles == Frontier.from_bytes(tree.size, tree.frontier).root()


def test_a_checkpoint_kept_of_another_log(ledger: Database) -> None:
    """Nothing is held to what is not signed by this log's key; that it is not is told."""
    fill(ledger, SMALL)
    signed = sign(ledger)
    foreign = replace(signed, note=replace(signed.note, signatures=(replace(signed.note.signatures[0], name="other"),)))
    assert found(verify_whole(ledger, KEYS, kept=kept(foreign))) == {("checkpoint", None)}
