"""Groups: what real clients did, from what real registries told, and the shapes of clients that are not in the samples."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wharfinger.ledger.groups import IDLE_MS, SAME_MS, GroupKind, group
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind
from wharfinger.wire.event import RegistryEvent, parse_envelope

SAMPLES = Path(__file__).parents[2] / "samples"
ONE, TWO, INDEX = (f"sha256:{digit * 64}" for digit in "123")


def recorded(version: str) -> list[Stored]:
    """The samples' events; their subjects hold ids of an older shape, which are no accounts."""
    stored = []
    for line in (SAMPLES / f"registry-{version}.jsonl").read_text().splitlines():
        for event in parse_envelope(json.loads(line)["body"].encode()):
            assert isinstance(event, RegistryEvent)
            record = AuditRecord(
                kind=RecordKind.EVENT, recorded_at=0, occurred_at=event.occurred_at, action=event.action.value,
                object_kind=event.kind.value, repository=event.repository, tag=event.tag, digest=event.digest, size=event.size,
                request_id=event.request_id, personal=Personal(account=event.unverified_actor.partition("#")[0]),
            )  # fmt: skip
            stored.append(Stored(len(stored), record, b""))
    return stored


@pytest.mark.parametrize("version", ["2.8.2", "3.1.1"])
def test_what_docker_and_skopeo_did(version: str) -> None:
    """Twenty-three lines are nine actions, as a person would tell them."""
    found = group(recorded(version))
    told = [(one.kind.value, one.headline().replace(one.digest[:19], "D")) for one in found]
    assert told == [
        ("push", "alice pushed team/app:v1 (D), 2 blobs"),
        ("pull", "bob pulled team/app:v1 (D), 3 blobs"),
        ("push", "bob pushed team/app2:v9 (D), 1 blob, 1 mounted"),
        ("push", "alice pushed team/bb:1 (D), 2 blobs"),
        ("pull", "alice pulled team/bb:1 (D), 1 blob"),
        ("pull", "alice pulled team/app:v1 (D)"),
        ("delete", "alice deleted team/app:v1 (D)"),
    ]
    assert sorted(seq for one in found for seq in one.seqs) == list(range(23))


def event(action: str, kind: str = "blob", **more: object) -> AuditRecord:
    """One event of zoe's in shop/web."""
    values: dict[str, object] = {"digest": ONE, "size": 10} | more
    return AuditRecord(
        kind=RecordKind.EVENT, recorded_at=0, action=action, object_kind=kind, repository="shop/web", verdict="exact",
        personal=Personal(account="zoe"), **values,
    )  # type: ignore[arg-type]  # fields by name  # fmt: skip


def told(*records: AuditRecord, gap_ms: int = 10) -> list[str]:
    """The headlines of events that come one after the other."""
    stored = [
        Stored(at, one if one.occurred_at else replace(one, occurred_at=1_000 + at * gap_ms), b"")
        for at, one in enumerate(records)
    ]
    return [f"{one.kind.value}: {one.headline()}" for one in group(stored)]


def test_a_push_of_an_index_is_one_push() -> None:
    """Children come first, by digest; the index has the tag."""
    children = [event("push", "manifest", digest=one) for one in (ONE, TWO)]
    pushed = told(event("push"), *children, event("push", "index", digest=INDEX, tag="v1"))
    assert pushed == ["push: zoe pushed shop/web:v1 (sha256:333333333333), 2 child manifests, 1 blob"]


def test_two_tags_of_a_digest_are_one_push() -> None:
    """-t a -t b; but the same digest again after a while is another push."""
    both = [event("push", "manifest", tag=tag) for tag in ("a", "b")]
    assert told(*both) == ["push: zoe pushed shop/web:a,b (sha256:111111111111)"]
    assert len(told(*both, gap_ms=SAME_MS + 1)) == 2


def test_what_a_tag_was() -> None:
    """A moved tag tells it; a new one, and one that stays what it is, have nothing to tell."""
    moved = [event("push", "manifest", tag="v1", previous_digest=previous) for previous in (TWO, "", ONE)]
    assert [told(one) for one in moved] == [
        ["push: zoe pushed shop/web:v1 (sha256:111111111111), was sha256:222222222222"],
        ["push: zoe pushed shop/web:v1 (sha256:111111111111)"],
        ["push: zoe pushed shop/web:v1 (sha256:111111111111)"],
    ]


def test_for_programs() -> None:
    """Everything of a push: tags, layers, mounts, bytes, tokens, and the numbers of the lines that it stands for."""
    records = [
        event("push", jti="a" * 26, size=100), event("mount", jti="b" * 26, size=50), event("probe", jti="b" * 26),
        event("push", "manifest", tag="v1", digest=INDEX, previous_digest=TWO, jti="b" * 26, size=7, flags="addr_differs"),
    ]  # fmt: skip
    (made,) = group([Stored(at + 3, replace(one, occurred_at=1_000 + at), b"") for at, one in enumerate(records)])
    assert made.to_json() == {
        "kind": "push", "source": "", "account": "zoe", "repository": "shop/web", "tags": ["v1"], "digest": INDEX, "previous_digest": TWO,
        "size": 157, "blobs": 1, "mounted": 1, "children": 0, "probes": 1, "first_at": 1_000, "last_at": 1_003,
        "tokens": ["a" * 26, "b" * 26], "verdicts": ["exact"], "flags": ["addr_differs"], "erased": False, "seqs": [3, 4, 5, 6],
    }  # fmt: skip


def test_parts_without_a_tagged_manifest() -> None:
    """A push by digest, an upload that was given up, and looks alone."""
    assert told(event("push"), event("push", "manifest")) == ["push: zoe pushed shop/web (sha256:111111111111), 1 blob"]
    assert told(event("push")) == ["push: zoe pushed shop/web, 1 blob"]
    assert told(event("probe"), event("probe")) == ["check: zoe looked for shop/web"]
    apart = [event("push", occurred_at=1_000), event("push", "manifest", tag="v", occurred_at=2_000 + IDLE_MS)]
    assert told(*apart) == ["push: zoe pushed shop/web, 1 blob", "push: zoe pushed shop/web:v (sha256:111111111111)"]


def test_pulls() -> None:
    """Docker looks at the tag and pulls by digest; an index's child belongs to it; a look alone takes nothing."""
    docker = [event("probe", "manifest", tag="v1"), event("pull", "manifest"), event("pull"), event("probe")]
    assert told(*docker) == ["pull: zoe pulled shop/web:v1 (sha256:111111111111), 1 blob"]
    multi = [event("pull", "index", digest=INDEX, tag="v1"), event("pull", "manifest", digest=ONE)]
    assert told(*multi) == ["pull: zoe pulled shop/web:v1 (sha256:333333333333), 1 child manifest"]
    assert told(event("probe", "manifest", tag="v1")) == ["check: zoe looked for shop/web:v1 (sha256:111111111111)"]
    assert told(event("pull")) == ["pull: zoe pulled shop/web, 1 blob"]


def test_what_is_no_push_or_pull() -> None:
    """Deletes go by their request; other records stand alone."""
    deleted = [
        event("delete", "unknown", request_id="r"),
        event("untag", "tag", digest="", tag="v1", request_id="r"),
        event("delete", "unknown", digest=TWO, request_id="s"),
    ]
    assert told(*deleted) == [
        "delete: zoe deleted shop/web:v1 (sha256:111111111111)",
        "delete: zoe deleted shop/web (sha256:222222222222)",
    ]
    others = group(
        [
            Stored(0, replace(event("other", "unknown")), b""),
            Stored(1, AuditRecord(kind=RecordKind.REFUSAL, recorded_at=0), b""),
        ]
    )
    assert [one.kind for one in others] == [GroupKind.OTHER, GroupKind.OTHER]


def test_two_accounts_do_not_mix() -> None:
    """What somebody else does in the same repository meanwhile is theirs."""
    other = replace(event("push", "manifest", tag="w", digest=TWO), personal=Personal(account="yan"))
    assert told(event("push"), other, event("push", "manifest", tag="v")) == [
        "push: zoe pushed shop/web:v (sha256:111111111111), 1 blob",
        "push: yan pushed shop/web:w (sha256:222222222222)",
    ]
