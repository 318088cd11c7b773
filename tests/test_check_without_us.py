"""The script of docs/audit.md, run as it stands there: it verifies a receipt with bash and openssl, and nothing of ours."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.wharfinger.ledger import logs, vectors
from tests.wharfinger.ledger.logs import WITNESSED, fill, sign
from wharfinger.ledger.checkpoints import add_cosignature
from wharfinger.ledger.database import Database
from wharfinger.ledger.proving import make_receipt
from wharfinger.ledger.receipt import Receipt
from wharfinger.ledger.settlement import commit

PAGE = (Path(__file__).parents[1] / "docs/audit.md").read_text()
WITNESS = str(vectors.WITNESS.verifier)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script, written out."""
    (block,) = [block for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if block.startswith("#!")]
    file = tmp_path / "check.sh"
    file.write_text(block)
    return file


def check(script: Path, receipt: bytes, *vkeys: str) -> tuple[bool, str]:
    """Whether it says yes, and what it prints."""
    file = script.with_name("receipt")
    file.write_bytes(receipt)
    done = subprocess.run(["bash", script, file, *vkeys], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stdout


def receipts(folder: Path, size: int, seqs: list[int]) -> list[Receipt]:
    """Receipts of a cosigned log."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    if size > 4:
        fill(database, size)
    else:
        commit(database, [logs.event(number) for number in range(size)], now_ms=logs.NOW)
    signed = sign(database)
    add_cosignature(database, size, vectors.WITNESS.cosign(signed.note.text, time_s=vectors.WITNESS_TIME))
    found = [make_receipt(database, WITNESSED, seq) for seq in seqs]
    database.close()
    return [one for one in found if isinstance(one, Receipt)]


@pytest.mark.parametrize(("size", "seqs"), [(1, [0]), (2, [0, 1]), (3, [2]), (7, [0, 3, 6]), (300, [255, 299])])
def test_it_verifies_receipts(script: Path, tmp_path: Path, size: int, seqs: list[int]) -> None:
    """Of trees of many shapes, with the witness's word; and prints the record."""
    for receipt in receipts(tmp_path, size, seqs):
        assert check(script, receipt.to_bytes(), vectors.LOG_VKEY, WITNESS) == (True, receipt.entry.decode())


def test_it_refuses_what_does_not_hold(script: Path, tmp_path: Path) -> None:
    """Another record, index, proof, size or signature; a key that has not signed; a witness alone."""
    (receipt,) = receipts(tmp_path, 7, [3])
    good = receipt.to_bytes()
    lines = good.split(b"\n")
    other = receipts(tmp_path / "other", 7, [3])[0].to_bytes().split(b"\n")
    changed = [
        good.replace(b"index 3", b"index 2"),
        good.replace(b"index 3", b"index 9"),
        b"\n".join([lines[0], other[1], *lines[2:]]),
        b"\n".join([*lines[:3], *lines[4:]]),
        b"\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
        b"\n".join([*lines[:3], lines[3], *lines[3:]]),
        good.replace(b"\n7\n", b"\n8\n"),
        good.replace("— witness.example/w1 ".encode(), "— registry.example/audit ".encode()),
    ]
    assert [check(script, one, vectors.LOG_VKEY, WITNESS)[0] for one in changed] == [False] * len(changed)
    assert not check(script, good, vectors.C2SP_VKEY)[0]
    assert not check(script, good, WITNESS)[0]
    assert not check(script, good)[0]
    assert check(script, good, vectors.LOG_VKEY)[0]
