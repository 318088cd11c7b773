"""Rules and guards on real pushes: which are taken, what holds them off and until when, and who says so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import House, build_house, wait_until
from wharfinger.cli.pusher import Image, make_image
from wharfinger.ledger.queries import TracedDelivery
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of

pytestmark = pytest.mark.real

EDGE_SECRET = "the-secret-of-a-lesser-registry"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPEN = {"waiting", "held", "sending"}


def rules() -> str:
    """A rule for each repository of the tests, all to the webhook."""
    in_two_days = DAYS[(datetime.now(UTC) + timedelta(days=2)).weekday()]
    said = {
        "versions": 'match: {registry: main, repository: "team/versions", tag: "semver:^1.2"}, forward_only: true',
        "newest": "match: {registry: main, repository: team/newest, tag: newest}, debounce: 2s",
        "burst": "match: {registry: main, repository: team/burst, tag: 'v*'}, debounce: 2s",
        "deep": 'match: {registry: main, repository: "team/**/deep", tag: "/v[0-9]+/", account: [hussein, "ci-*"]}',
        "approved": "match: {registry: main, repository: team/approved}, approvals: 1, approvers: [hussein, admin], four_eyes: true",
        "pushers": "match: {registry: main, repository: team/pushers}, pushers: [admin]",
        "paused": "match: {registry: main, repository: team/paused}",
        "blocked": "match: {registry: main, repository: team/blocked}",
        "cool": "match: {registry: main, repository: team/cool}, cooldown: 2s",
        "window": f"match: {{registry: main, repository: team/window}}, windows: [{{days: {in_two_days}}}]",
    }
    return "".join(f"    - {{name: {name}, {text}, targets: [hook]}}\n" for name, text in said.items())


def with_edge(folder: Path) -> str:
    """A second source, which the tour's own rule is not for."""
    file = folder / "edge.secret"
    file.touch(0o600)
    file.write_text(EDGE_SECRET)
    return "    - {name: edge, secret_file: edge.secret, registry: 'http://127.0.0.1:1'}\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, with two sources."""
    folder = tmp_path_factory.mktemp("rules") / "house"
    folder.mkdir(mode=0o700)
    edge = with_edge(folder)

    def edit(text: str) -> str:
        text = text.replace('match: {repository: "*"}', 'match: {registry: main, repository: "*"}')
        return text.replace("  sources:\n", f"  sources:\n{edge}")

    built = build_house(folder, deploy=rules(), edit=edit)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def command(house: House, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """The command, as people call it."""
    line = [sys.executable, "-m", "wharfinger.cli.main", *arguments, "--data", str(house.folder)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, input=given)


def done(house: House, *arguments: str, given: str = "") -> str:
    """The same, which must succeed."""
    found = command(house, *arguments, given=given)
    assert found.returncode == 0, found.stderr
    return found.stdout


def push(house: House, repository: str, tag: str, image: Image | None = None) -> str:
    """Push something new; its digest."""
    image = image or make_image(os.urandom(32))
    house.pusher().push(image, repository, tag)
    return image.digest


def ended(house: House, ref: str, number: int = 1) -> list[TracedDelivery]:
    """The deliveries that a reference names, in the order of their pushes, once there are so many and all are over."""
    found = house.traced(ref, lambda one: len(one.deliveries) == number and not {d.state for d in one.deliveries} & OPEN)
    return sorted(found.deliveries, key=lambda one: one.push)


def held(house: House, ref: str, guard: str) -> TracedDelivery:
    """The delivery that a reference names, once a guard holds it off."""

    def waits(one: TracedDelivery) -> bool:
        return one.state == "held" and one.decisions[-1].guard == guard

    (found,) = house.traced(ref, lambda one: one.deliveries and all(map(waits, one.deliveries))).deliveries
    return found


def heard(house: House, digest: str) -> int:
    """How often the webhook was told of a digest."""
    return len([one for one in house.heard if one.get("data", {}).get("digest") == digest])


def test_versions(house: House) -> None:
    """1.10 is newer than 1.9 and never goes back; another major version, a pre-release and a word are no such versions."""
    for tag in ("v1.9.0", "v1.10.0"):
        assert ended(house, push(house, "team/versions", tag))[0].state == "delivered"
    (back,) = ended(house, push(house, "team/versions", "v1.9.5"))
    assert (back.state, back.reason) == ("refused", "v1.9.5 would go back from v1.10.0, which was delivered last")
    for tag in ("v2.0.0", "v1.11.0-rc.1", "latest"):
        digest = push(house, "team/versions", tag)
        assert house.traced(digest, lambda one: one.events).deliveries == []
        why = json.loads(done(house, "why", digest, "--json"))
        says = next(rule for rule in why["pushes"][0]["rules"] if rule["rule"] == "versions")
        assert [one["name"] for one in says["conditions"] if not one["holds"]] == ["tag"]


def test_a_burst_becomes_one_delivery(house: House) -> None:
    """Of what was pushed last; what came before is superseded and never sent."""
    digests = [push(house, "team/burst", "v1") for _ in range(4)]
    found = ended(house, "team/burst:v1", 4)
    assert [one.state for one in found] == ["superseded"] * 3 + ["delivered"]
    assert [heard(house, digest) for digest in digests] == [0, 0, 0, 1]


def test_only_the_newest_of_a_repository(house: House) -> None:
    """Whatever its tag."""
    first, last = push(house, "team/newest", "one"), push(house, "team/newest", "two")
    assert [ended(house, digest)[0].state for digest in (first, last)] == ["superseded", "delivered"]
    assert ended(house, first)[0].reason == f"team/newest was pushed again, as two {last}"


def test_two_stars_a_regex_and_an_account(house: House) -> None:
    """All must hold, of the whole name."""
    assert ended(house, push(house, "team/a/b/deep", "v1"))[0].rule == "deep"
    other = push(house, "team/a/b/deep", "v1-rc")
    assert house.traced(other, lambda one: one.events).deliveries == []
    assert "tag v1-rc does not match /v[0-9]+/" in done(house, "why", other)


def test_a_cool_down(house: House) -> None:
    """It is not sent before it is old enough, and then by itself."""
    (found,) = ended(house, push(house, "team/cool", "v1"))
    assert (found.state, len(found.attempts)) == ("delivered", 1)
    assert found.attempts[0].started_at >= found.created_at + 2_000
    assert [(one.guard, one.said.value) for one in found.decisions if one.guard == "cooldown"] == [
        ("cooldown", "wait"),
        ("cooldown", "go"),
    ]


def test_a_window(house: House) -> None:
    """What is closed until the day after tomorrow holds it off until then, without an attempt."""
    digest = push(house, "team/window", "v1")
    found = held(house, digest, "window")
    opens = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    assert (found.due_at, found.attempts, heard(house, digest)) == (int(opens.timestamp() * 1_000), [], 0)
    assert f"no window is open until {opens:%Y-%m-%d} 00:00:00" in done(house, "deploy", "list")


def test_approvals(house: House) -> None:
    """By who proves to be an approver, and not by who pushed; for one digest: the next push of the tag is not approved by it."""
    digest = push(house, "team/approved", "v1")
    ident = held(house, digest, "approvals").id
    own = command(house, "deploy", "approve", ident, "--as", "hussein", given=house.password("hussein") + "\n")
    assert (own.returncode, own.stderr) == (1, "hussein pushed it, and four_eyes asks for another\n")
    assert command(house, "deploy", "approve", ident, "--as", "admin", given="wrong\n").returncode == 1
    assert heard(house, digest) == 0
    said = done(house, "deploy", "approve", ident, "--as", "admin", given=house.password("admin") + "\n")
    assert said == f"approved team/approved:v1 ({digest}) for hook: 1 of 1\n"
    assert ended(house, digest)[0].state == "delivered"
    wait_until("the webhook", lambda: heard(house, digest))
    again = push(house, "team/approved", "v1")
    held(house, again, "approvals")
    refused = done(
        house,
        "deploy",
        "reject",
        held(house, again, "approvals").id,
        "--as",
        "admin",
        "--why",
        "not on a Friday",
        given=house.password("admin") + "\n",
    )
    assert refused.startswith("rejected team/approved:v1")
    assert ended(house, again)[0].reason == "rejected by admin: not on a Friday"
    trail = [
        json.loads(line)
        for line in done(house, "audit", "search", "--record", "steering", "--account", "admin", "--json").splitlines()
    ]
    assert [(one["action"], one["digest"]) for one in trail] == [("reject", again), ("approve", digest)]


def test_somebody_who_may_not(house: House) -> None:
    """A push that matches, of somebody else: refused, and told."""
    (found,) = ended(house, push(house, "team/pushers", "v1"))
    assert (found.state, found.reason) == ("refused", "pushed by hussein, who is none of the rule's pushers")


def test_a_pause(house: House) -> None:
    """What is pushed meanwhile waits, and goes on when it ends."""
    done(house, "deploy", "pause", "paused", "--why", "the database moves", "--as", "yan")
    digest = push(house, "team/paused", "v1")
    held(house, digest, "pause")
    listed = json.loads(done(house, "deploy", "list", "--json"))
    assert [(one["rule"], one["who"], one["why"]) for one in listed["pauses"]] == [("paused", "os:yan", "the database moves")]
    assert heard(house, digest) == 0
    done(house, "deploy", "resume", "paused", "--why", "it has moved")
    assert ended(house, digest)[0].state == "delivered"


def test_a_bad_digest(house: House) -> None:
    """Refused while it is marked; pushed again after that it goes."""
    image = make_image(os.urandom(32))
    done(house, "deploy", "block", image.digest, "--why", "CVE-2026-1")
    push(house, "team/blocked", "v1", image)
    (found,) = ended(house, image.digest)
    assert (found.state, found.reason) == ("refused", "the digest is marked as bad everywhere: CVE-2026-1")
    done(house, "deploy", "unblock", image.digest, "--why", "it is fixed elsewhere")
    push(house, "team/blocked", "v1", image)
    assert [one.state for one in ended(house, image.digest, 2)] == ["refused", "delivered"]


def test_once_more(house: House) -> None:
    """A delivery that was refused for a mark at its target is sent when somebody forces it; another guard's no stands."""
    image = make_image(os.urandom(32))
    done(house, "deploy", "block", image.digest, "--target", "hook", "--why", "it was undone")
    push(house, "team/blocked", "v2", image)
    (refused,) = ended(house, image.digest)
    done(house, "deploy", "force", refused.id, "--why", "the disk was full")
    house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
    (other,) = ended(house, push(house, "team/pushers", "v2"))
    done(house, "deploy", "force", other.id, "--why", "please")
    again = house.traced(
        other.id, lambda one: [len(d.attempts) for d in one.deliveries] == [1] and one.deliveries[0].state == "refused"
    )
    assert again.deliveries[0].reason == "pushed by hussein, who is none of the rule's pushers"


def test_a_lesser_registry(house: House) -> None:
    """Who may post for it cannot start what is meant for another, though the token is real and the grant covers it."""
    pushed = push(house, "team/paused", "v2")
    jti = house.traced(pushed, lambda one: one.deliveries).issuances[0].jti
    event: dict[str, Any] = {
        "id": "by-edge", "action": "push", "timestamp": datetime.now(UTC).isoformat(), "request": {"method": "PUT"},
        "target": {"repository": "team/paused", "mediaType": "application/vnd.oci.image.manifest.v1+json", "tag": "v2", "digest": "sha256:" + "ab" * 32},
        "actor": {"name": f"hussein#{jti}"},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {EDGE_SECRET}", "Content-Type": "application/json"}
    target = endpoint_of(f"http://127.0.0.1:{house.ports.notifier}")
    assert request(target, "POST", "/events/edge", headers=headers, body=json.dumps({"events": [event]}).encode()).status == 202
    found = house.traced("by-edge", lambda one: one.events)
    assert ([one.attribution.verdict for one in found.events], found.deliveries) == (["exact"], [])
    assert "registry edge is not main" in done(house, "why", "by-edge")


def test_what_would_have_been(house: House) -> None:
    """The rules over what was really pushed: the same as what they did."""
    digest = push(house, "team/versions", "v1.10.1")
    (real,) = ended(house, digest)
    lines = [json.loads(line) for line in done(house, "deploy", "simulate", "--since", "1h", "--json").splitlines()]
    assert [(one["would_be"], one["rule"]) for one in lines if one["digest"] == digest] == [(real.state, "versions")]
    traced = done(house, "trace", digest)
    assert all(word in traced for word in ("delivery versions → hook", "forward_only  go", "tag  go"))
