"""Alarms on the whole house: of a forged event, and of a log that somebody changed. Recorded, raised, and a webhook hears."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.real.conftest import House, build_house, wait_until
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose webhook hears of alarms."""
    built = build_house(
        tmp_path_factory.mktemp("guarded"), more="\nalarms: {targets: [hook]}\nledger: {checkpoint_every: 1s}\n"
    )
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def test_somebody_is_told_of_a_forged_event(guarded: House) -> None:
    """With its reason and whose name was used; signed as every webhook is."""
    jti = mint(JtiKeys((b"somebody else's key" * 2,)), account=Account("hussein"), now_ms=1_795_477_894_000, nonce=7)
    event = {
        "id": "made-up", "action": "push", "timestamp": "2026-11-24T00:00:00Z", "request": {"method": "PUT"}, "actor": {"name": f"hussein#{jti}"},
        "target": {
            "repository": "ubuntu", "mediaType": "application/vnd.oci.image.manifest.v1+json", "tag": "v1", "digest": "sha256:" + "ab" * 32,
        },
    }  # fmt: skip
    assert guarded.post(event) == 202
    heard = wait_until("the alarm", lambda: [one for one in guarded.heard if one.get("type") == "trail.alarm"])
    assert heard[0]["genuine"]
    data = heard[0]["data"]
    assert (data["alarm"], data["repository"], data["account"], data["rule"]) == ("forged", "ubuntu", "hussein", "alarm")
    states = guarded.rows("SELECT d.rule, d.state FROM deliveries d ORDER BY d.rule")
    assert states == [("alarm", "delivered"), ("tour", "refused")]
    assert not [one for one in guarded.heard if one.get("type") == "image.pushed"]


def test_somebody_is_told_of_a_changed_log(guarded: House) -> None:
    """Rows and hashes below a signed size were changed: the next look does not sign it, says so in the trail, and tells."""
    signed = "SELECT max(size) FROM checkpoints"
    with closing(sqlite3.connect(guarded.folder / "ledger.db")) as plain:
        wait_until("a checkpoint", lambda: plain.execute(signed).fetchone()[0])
        with plain:
            ((hashes,),) = plain.execute("SELECT hashes FROM tiles WHERE level = 0 AND number = 0")
            plain.execute("UPDATE tiles SET hashes = ? WHERE level = 0 AND number = 0", [bytes(32) + hashes[32:]])
        assert guarded.post({"id": "news", "action": "pull", "target": {"repository": "ubuntu"}}) == 202
        heard = wait_until(
            "the alarm", lambda: [one for one in guarded.heard if one.get("data", {}).get("alarm") == "checkpoint_refused"]
        )
        before = plain.execute(signed).fetchone()
        assert heard[0]["genuine"]
        found = guarded.rows("SELECT reason, event_id, detail FROM records WHERE kind = 'alarm' AND source = ''")
        assert [reason for reason, _, _ in found] == ["checkpoint_refused"]
        assert found[0][1].startswith("alarm/checkpoint_refused/rewritten/")
        assert "audit verify" in found[0][2]
        assert plain.execute(signed).fetchone() == before
