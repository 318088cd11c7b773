"""Signing the log as it is joined: the key's absence where it matters, and a witness that cosigns over HTTP."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import wait_until
from tests.stores import in_process
from tests.wharfinger.ledger import logs
from tests.witness import Witness, serving
from wharfinger.cli.generate import new_log_key
from wharfinger.ledger.checkpoints import newest
from wharfinger.ledger.database import Database
from wharfinger.ledger.log_keys import load_signer
from wharfinger.ledger.note import cosigned_at, parse_vkey
from wharfinger.runtime import settings
from wharfinger.runtime.errors import Misconfigured
from wharfinger.runtime.log import discard
from wharfinger.runtime.settings import DeploySettings, LogSettings, Secret, WorkerSettings
from wharfinger.wire import jobs
from workers.app import signing, worker_of

PEM = new_log_key()


def configured(folder: Path, key: bytes | None, *witnesses: settings.Witness) -> WorkerSettings:
    """What the workers are told."""
    log = LogSettings(key=None if key is None else Secret(key), key_file=folder / "log.key", witnesses=witnesses)
    return WorkerSettings(f"sqlite:///{folder}/ledger.db", "", folder, (), (), DeploySettings(), log)


def test_signed_and_cosigned(tmp_path: Path) -> None:
    """One look at a log with news: it is signed with its own key, and the configured witness has cosigned it."""
    witness = Witness([str(load_signer(PEM).verifier)])
    with serving(witness) as url:
        asked = settings.Witness("w1", url, witness.vkey, (ip_network("127.0.0.0/8"),), 1)
        told = configured(tmp_path, PEM, asked)
        database = Database(told.ledger_url)
        logs.fill(database, 10)
        sign = signing(told, database, discard)
        assert sign is not None
        sign.run()
        key = parse_vkey(witness.vkey)

        def cosigned() -> int | None:
            with database.reading() as connection:
                stored = newest(connection)
            assert stored is not None
            return cosigned_at(stored.signed().note, key)

        assert wait_until("the cosignature", cosigned) == witness.time_s
    database.close()


def test_without_a_key_an_unsigned_log_stays_unsigned(tmp_path: Path) -> None:
    """The workers run, and say once what they do not do."""
    told = configured(tmp_path, None)
    logged: list[str] = []

    def log(event: str, /, **_fields: Any) -> None:
        logged.append(event)

    assert signing(told, Database(told.ledger_url), log) is None
    assert logged == ["sign.idle"]


@pytest.mark.parametrize(("key", "problem"), [(None, "is not there"), (new_log_key(), "signed with another key")])
def test_a_signed_log_wants_its_key(tmp_path: Path, key: bytes | None, problem: str) -> None:
    """Gone, or another: a fault that says what to do, before anything is signed."""
    told = configured(tmp_path, PEM)
    database = Database(told.ledger_url)
    logs.fill(database, 10)
    sign = signing(told, database, discard)
    assert sign is not None
    sign.run()
    with pytest.raises(Misconfigured, match=f"{problem}.*restore log.key from a backup"):
        signing(configured(tmp_path, key), database, discard)


def test_a_job_that_fails_is_an_event() -> None:
    """Of which kind, and where; its text may hold what somebody sent, and stands nowhere."""
    logged: list[dict[str, Any]] = []

    def fail() -> None:
        raise KeyError("s3cret")

    def log(event: str, /, **fields: Any) -> None:
        logged.append({"event": event, **fields})

    client = in_process().client()
    worker = worker_of(client, "q", {jobs.SETTLE: fail}, log)
    job = worker.queues[0].enqueue(jobs.SETTLE, failure_ttl=60)
    worker.execute_job(job, worker.queues[0])
    (told,) = logged
    assert (told["event"], told["job"], told["error"]) == ("job.failed", job.id, "KeyError")
    assert told["file"] == __file__
    assert "s3cret" not in str(told)
