"""An alarm on the whole house: a forged event is recorded, raised, and a webhook hears of it; nothing is deployed."""

from collections.abc import Iterator

import pytest

from tests.real.conftest import House, build_house, wait_until
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose webhook hears of alarms."""
    built = build_house(tmp_path_factory.mktemp("guarded"), more="\nalarms: {targets: [hook]}\n")
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
