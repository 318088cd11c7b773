"""The main job on real input: a client logs in, pushes, and the push is traced to its token and deployed."""

import base64
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
import redis

from tests.real.conftest import House, need, wait_until
from wharfinger.cli.pusher import Image, Pusher, PushRefused, digest_of, make_image
from wharfinger.wire import keys
from wharfinger.wire.jti import JtiKeys, mint
from wharfinger.wire.names import Account, Jti
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic

pytestmark = pytest.mark.real


def layout(folder: Path, image: Image) -> Path:
    """An image as an OCI layout with the tag v1."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for blob in (image.layer, image.config, image.manifest):
        (blobs / digest_of(blob).removeprefix("sha256:")).write_bytes(blob)
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {"org.opencontainers.image.ref.name": "v1"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run skopeo."""
    need("skopeo")
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=False, timeout=60)


def creds(house: House, name: str = "hussein") -> str:
    """A user's credentials as skopeo takes them."""
    return f"{name}:{house.password(name)}"


def all_exact(house: House, repository: str) -> None:
    """Every event of a repository is tied to its token, with an account and a grant."""
    wait_until("settling", lambda: house.rows(f"SELECT 1 FROM records WHERE kind = 'event' AND repository = '{repository}'"))
    verdicts = house.rows(f"SELECT DISTINCT verdict FROM records WHERE kind = 'event' AND repository = '{repository}'")
    assert verdicts == [("exact",)]


def test_a_push_is_traced_and_delivered(house: House, tmp_path: Path) -> None:
    """Skopeo pushes; the chain stands from token to webhook; the same bytes again are unchanged."""
    image = make_image(os.urandom(64))
    source = f"oci:{layout(tmp_path / 'oci', image)}:v1"
    target = f"docker://{house.registry}/ubuntu:v1"
    pushed = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", creds(house), source, target)
    assert pushed.returncode == 0, pushed.stderr
    found = house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
    (push,) = [event for event in found.events if event.action == "push"]
    assert (push.attribution.verdict, push.attribution.account) == ("exact", "hussein")
    (token,) = [one for one in found.issuances if one.jti == push.attribution.jti]
    assert {"type": "repository", "name": "ubuntu", "actions": ["pull", "push"]} in token.granted
    assert token.user_agent.startswith("skopeo")
    heard = wait_until("the webhook", lambda: [one for one in house.heard if one.get("data", {}).get("digest") == image.digest])
    assert heard[0]["genuine"]
    assert heard[0]["data"]["image"] == f"{house.registry}/ubuntu@{image.digest}"
    assert skopeo("copy", "--dest-tls-verify=false", "--dest-creds", creds(house), source, target).returncode == 0
    house.traced(image.digest, lambda one: sorted(d.state for d in one.deliveries) == ["delivered", "unchanged"])
    assert len([one for one in house.heard if one.get("data", {}).get("digest") == image.digest]) == 1
    all_exact(house, "ubuntu")


def test_what_is_not_allowed_is_refused(house: House, tmp_path: Path) -> None:
    """Another repository, a wrong password, an unknown user: refused, and on record."""
    source = f"oci:{layout(tmp_path / 'oci', make_image(b'x'))}:v1"
    for target, who in (("fedora", creds(house)), ("ubuntu", "hussein:wrong"), ("ubuntu", "pa55w0rd:x")):
        refused = skopeo(
            "copy", "--dest-tls-verify=false", "--dest-creds", who, source, f"docker://{house.registry}/{target}:v1"
        )
        assert refused.returncode != 0
    reasons = wait_until(
        "the refusals",
        lambda: len(rows := house.rows("SELECT DISTINCT reason FROM records WHERE kind = 'refusal'")) > 1 and rows,
    )
    assert {reason for (reason,) in reasons} == {"wrong_password", "unknown_account"}
    everything = (
        (house.folder / "up.log").read_text()
        + str(house.rows("SELECT * FROM records"))
        + str(house.rows("SELECT * FROM personal"))
    )
    assert "pa55w0rd" not in everything
    assert house.password("hussein") not in everything


def test_login(house: House, tmp_path: Path) -> None:
    """A right password logs in, a wrong one does not."""
    auth = str(tmp_path / "auth.json")
    options = ["login", "--tls-verify=false", "--authfile", auth, "-u", "hussein"]
    assert skopeo(*options, "-p", house.password("hussein"), house.registry).returncode == 0
    assert skopeo(*options, "-p", "wrong", house.registry).returncode != 0


def test_mount_pull_and_delete(house: House, tmp_path: Path) -> None:
    """Cross-repository mount, anonymous pull and delete: every event exact, each with the right account."""
    image = make_image(os.urandom(64))
    source = f"oci:{layout(tmp_path / 'oci', image)}:v1"
    base, copy = (f"docker://{house.registry}/team/{name}:v1" for name in ("base", "copy"))
    assert skopeo("copy", "--dest-tls-verify=false", "--dest-creds", creds(house), source, base).returncode == 0
    both = ["--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds", creds(house), "--dest-creds", creds(house)]
    assert skopeo("copy", *both, base, copy).returncode == 0
    pulled = skopeo("copy", "--src-tls-verify=false", "--src-no-creds", base, f"dir:{tmp_path}/pulled")
    assert pulled.returncode == 0, pulled.stderr
    assert skopeo("delete", "--tls-verify=false", "--creds", creds(house), copy).returncode == 0
    wait_until("the delete", lambda: house.rows("SELECT 1 FROM records WHERE action = 'delete' AND repository = 'team/copy'"))
    actions = {action for (action,) in house.rows("SELECT action FROM records WHERE repository LIKE 'team/%'")}
    assert {"push", "pull", "mount", "delete"} <= actions
    all_exact(house, "team/base")
    all_exact(house, "team/copy")
    anonymous = house.rows(
        "SELECT DISTINCT credential_kind FROM records r JOIN personal p USING (seq) WHERE action = 'pull' AND account = ''"
    )
    assert anonymous == [("anonymous",)]


def test_two_hundred_pushes_of_twenty_clients(house: House) -> None:
    """Clients that share two accounts: every event is tied to its own token."""
    known = {one[0] for one in house.rows("SELECT event_id FROM records WHERE kind = 'event'")}

    def client(number: int) -> set[str]:
        name = "hussein" if number % 2 else "admin"
        digests = set()
        for at in range(10):
            image = make_image(os.urandom(32))
            house.pusher(name).push(image, "ubuntu", f"c{number}-{at}")
            digests.add(image.digest)
        return digests

    with ThreadPoolExecutor(20) as pool:
        digests = set().union(*pool.map(client, range(20)))
    query = "SELECT event_id, digest, verdict, jti, account FROM records JOIN personal USING (seq) WHERE kind = 'event' AND action = 'push' AND tag LIKE 'c%'"
    rows = wait_until("200 pushes", lambda: len(rows := house.rows(query)) == 200 and rows, 60)
    assert {row[1] for row in rows} == digests
    assert {row[2] for row in rows} == {"exact"}
    assert len({row[3] for row in rows}) == 200
    assert {row[4] for row in rows} == {"hussein", "admin"}
    assert not known & {row[0] for row in rows}


def signed(house: House, jti: Jti, account: str, repository: str) -> str:
    """A token of the real key, however its id was made."""
    access = [{"type": "repository", "name": repository, "actions": ["pull", "push"]}]
    probe = request(
        endpoint_of(f"http://127.0.0.1:{house.ports.auth}"),
        "GET",
        "/auth?service=registry",
        headers={"Authorization": _basic(house)},
    )
    real = json.loads(probe.body)["token"]
    header, claims = jwt.get_unverified_header(real), jwt.decode(real, options={"verify_signature": False})
    claims |= {"sub": f"{account}#{jti}", "jti": jti, "access": access}
    return jwt.encode(
        claims,
        (house.folder / "signing.key").read_text(),
        algorithm="RS256",
        headers={"kid": header["kid"], "x5c": header["x5c"]},
    )


def _basic(house: House) -> str:
    return basic("hussein", house.password("hussein").encode())


def push_with(house: House, token: str, tag: str) -> Image:
    """Push with a given token."""
    image = make_image(os.urandom(32))
    pusher = Pusher(house.url, "nobody", "", token=token)
    pusher.push(image, "ubuntu", tag)
    return image


def test_a_token_we_never_issued_is_forged(house: House) -> None:
    """Signed with the leaked key, without the jti key: pushed, recorded, called forged, and not deployed."""
    forged = mint(JtiKeys((b"not the real key" * 2,)), account=Account("hussein"), now_ms=1_795_477_894_000, nonce=7)
    image = push_with(house, signed(house, forged, "hussein", "ubuntu"), "forged")
    found = house.traced("ubuntu:forged", lambda one: one.events and one.deliveries)
    assert found.events[0].attribution.verdict == "forged"
    assert [(d.state, d.attempts) for d in found.deliveries] == [("refused", [])]
    assert not [one for one in house.heard if one.get("data", {}).get("digest") == image.digest]


def test_a_token_whose_record_is_gone_is_lost_not_forged(house: House) -> None:
    """Authentic, with no record anywhere: unattributed, for a reason."""
    key = base64.b64decode((house.folder / "jti.key").read_text())
    lost = mint(JtiKeys((key,)), account=Account("hussein"), now_ms=1_795_477_894_000, nonce=8)
    push_with(house, signed(house, lost, "hussein", "ubuntu"), "lost")
    found = house.traced("ubuntu:lost", lambda one: one.events and one.deliveries)
    assert (found.events[0].attribution.verdict, found.events[0].attribution.reason) == ("unattributed", "record_lost")
    assert found.deliveries[0].state == "refused"


def test_an_event_outside_its_tokens_grant(house: House) -> None:
    """Posted with the notification secret, naming a real token, for a repository it was not for."""
    found = house.traced("ubuntu:v1", lambda one: one.issuances)
    jti = found.issuances[0].jti
    event: dict[str, Any] = {
        "id": "made-up",
        "action": "push",
        "timestamp": "2026-11-24T00:00:00Z",
        "target": {
            "repository": "payroll",
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "tag": "v1",
            "digest": "sha256:" + "ab" * 32,
        },
        "request": {"method": "PUT"},
        "actor": {"name": f"hussein#{jti}"},
    }
    assert house.post(event) == 202
    outside = house.traced("payroll:v1", lambda one: one.events)
    assert outside.events[0].attribution.verdict == "outside_grant"
    assert house.post(event | {"actor": {"name": f"admin#{jti}"}, "id": "made-up-2"}) == 202
    mismatch = house.traced("made-up-2", lambda one: one.events)
    assert mismatch.events[0].attribution.verdict == "account_mismatch"


@pytest.mark.parametrize("version", ["2.8.2", "3.1.1"])
def test_recorded_notifications(house: House, version: str) -> None:
    """What real registries sent, byte for byte: settled, and without an id of ours, so no forgery."""
    sample = Path(__file__).parents[1] / f"samples/registry-{version}.jsonl"
    ids = set()
    for line in sample.read_text().splitlines():
        recorded = json.loads(line)
        body = recorded["body"].encode()
        ids |= {event["id"] for event in json.loads(body)["events"]}
        headers = {"Authorization": f"Bearer {house.secret()}", "Content-Type": recorded["headers"]["Content-Type"]}
        target = endpoint_of(f"http://127.0.0.1:{house.ports.notifier}")
        assert request(target, "POST", "/events/main", headers=headers, body=body).status == 202
    names = ", ".join(f"'{ident}'" for ident in ids)
    query = f"SELECT verdict, reason FROM records WHERE event_id IN ({names})"
    rows = wait_until("the samples", lambda: len(rows := house.rows(query)) == len(ids) and rows)
    assert set(rows) == {("unattributed", "no_id")}


def test_a_deleted_record_is_found_in_the_ledger(house: House) -> None:
    """Redis may forget an issuance: the ledger still attributes by it."""
    image = make_image(os.urandom(32))
    pusher = house.pusher()
    pusher.push(image, "ubuntu", "first")
    found = house.traced("ubuntu:first", lambda one: one.issuances and one.events)
    client = redis.Redis(unix_socket_path=f"{house.folder}/store/valkey.sock")
    client.delete(keys.issuance(Jti(found.issuances[0].jti)))
    client.close()
    pusher.push(make_image(os.urandom(32)), "ubuntu", "second")
    again = house.traced("ubuntu:second", lambda one: one.events)
    assert again.events[0].attribution.verdict == "exact"


def test_get_is_not_a_notification(house: House) -> None:
    """A redirect that became a GET must fail loudly."""
    target = endpoint_of(f"http://127.0.0.1:{house.ports.notifier}")
    answer = request(target, "GET", "/events", headers={"Authorization": f"Bearer {house.secret()}"})
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert request(target, "POST", "/events", headers={"Authorization": "Bearer wrong"}, body=b"{}").status == 401


def test_a_password_in_the_pushers_hands_only(house: House) -> None:
    """A wrong password is told as such to a client that pushes by HTTP."""
    with pytest.raises(PushRefused):
        Pusher(house.url, "hussein", "wrong").push(make_image(b"x"), "ubuntu", "x")
