"""A copy of a ledger in use: one moment of it, whole or not there, and a ledger like any other."""

import os
import signal
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.wharfinger.ledger import logs
from tests.wharfinger.ledger.logs import KEYS, NOW, fill, sign, size_of
from wharfinger.ledger.backup import back_up
from wharfinger.ledger.database import Database
from wharfinger.ledger.errors import LedgerUnavailable
from wharfinger.ledger.moving import head
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.verification.anchors import Kept
from wharfinger.ledger.verification.whole import verify_whole

SIZE = 600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A signed ledger's file."""
    with closing(Database(f"sqlite:///{tmp_path}/ledger.db")) as database:
        fill(database, SIZE)
        sign(database)
    return tmp_path / "ledger.db"


def opened(file: Path) -> Database:
    """The ledger in a file."""
    return Database(f"sqlite:///{file}", create=False)


def test_a_copy_while_others_write(file: Path, tmp_path: Path) -> None:
    """Records are committed between its pages: the copy is of the moment at which it began, and proved."""
    with closing(opened(file)) as database:
        with database.reading() as connection:
            before = head(connection)
        steps: list[tuple[int, int]] = []

        def write(done: int, total: int) -> None:
            steps.append((done, total))
            commit(database, [logs.event(size_of(database))], now_ms=NOW + SIZE)

        back_up(file, tmp_path / "copy.db", told=write, pages=20)
        assert size_of(database) == SIZE + len(steps) > SIZE + 5
        assert steps[-1][0] == steps[-1][1]
        later = sign(database)
        with closing(opened(tmp_path / "copy.db")) as copy:
            with copy.reading() as connection:
                assert head(connection) == before
            assert verify_whole(copy, KEYS).findings.kept == []
            # As a restored one it is a shorter log, which a checkpoint from elsewhere tells.
            assert {one.what.value for one in verify_whole(copy, KEYS, kept=[Kept(later, "a file")]).findings.kept} == {
                "truncated"
            }


def test_a_restored_copy_goes_on(file: Path, tmp_path: Path) -> None:
    """Put in the old one's place: events that came since come again, and the log is one."""
    back_up(file, tmp_path / "copy.db")
    with closing(opened(file)) as database:
        commit(database, [logs.event(SIZE)], now_ms=NOW + SIZE)
    for old in tmp_path.glob("ledger.db*"):
        old.unlink()
    (tmp_path / "copy.db").replace(file)
    with closing(Database(f"sqlite:///{file}")) as restored:
        assert size_of(restored) == SIZE
        commit(restored, [logs.event(SIZE), logs.event(SIZE + 1)], now_ms=NOW + SIZE)
        sign(restored)
        assert (size_of(restored), verify_whole(restored, KEYS).findings.kept) == (SIZE + 2, [])


def test_it_is_private_and_alone(file: Path, tmp_path: Path) -> None:
    """Readable by its owner, and nothing is left beside it."""
    back_up(file, tmp_path / "copies.db")
    assert stat.S_IMODE((tmp_path / "copies.db").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if "copies" in one.name] == ["copies.db"]


def test_nothing_is_overwritten(file: Path, tmp_path: Path) -> None:
    """Also what came while the copy was made."""
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(LedgerUnavailable, match="is there already"):
        back_up(file, tmp_path / "copy.db")
    other = tmp_path / "other.db"
    with pytest.raises(LedgerUnavailable, match="File exists"):
        back_up(file, other, told=lambda _done, _total: other.write_text("mine"))  # type: ignore[arg-type]  # a side effect
    assert [(tmp_path / name).read_text() for name in ("copy.db", "other.db")] == ["mine", "mine"]


@pytest.mark.parametrize("place", ["nowhere/copy.db", "ledger.db/copy.db"])
def test_a_place_that_cannot_be_written(file: Path, tmp_path: Path, place: str) -> None:
    """It is said."""
    with pytest.raises(LedgerUnavailable, match="cannot copy"):
        back_up(file, tmp_path / place)


@pytest.mark.parametrize(("name", "problem"), [("none.db", "there is no ledger"), ("text.db", "cannot copy")])
def test_what_is_no_ledger(tmp_path: Path, name: str, problem: str) -> None:
    """No copy is made of it."""
    (tmp_path / "text.db").write_text("not a database, " * 100)
    with pytest.raises(LedgerUnavailable, match=problem):
        back_up(tmp_path / name, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_crash_in_the_middle(file: Path, tmp_path: Path) -> None:
    """There is no file of that name, and the next copy is whole."""
    copy = tmp_path / "copy.db"
    child = os.fork()
    if child == 0:
        try:
            back_up(file, copy, told=lambda _done, _total: os.kill(os.getpid(), signal.SIGKILL), pages=20)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert not copy.exists()
    back_up(file, copy)
    with closing(opened(copy)) as database:
        assert verify_whole(database, KEYS).proved
    assert not list(tmp_path.glob(".copy*"))
