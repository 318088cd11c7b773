"""Groups the events of one user action: a push or a pull with its blobs, mounts, children and tags, instead of a dozen lines.

Pure: records in, in the log's order; groups out, in the order they began. What clients really send is in docs/flow.md: docker
HEADs each blob it pushed, asks for a tag by HEAD and then pulls by digest; a push of an index pushes its children first, and
mounts come under tokens of their own. So a token says nothing of where an action ends; account, repository, digest and time do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from wharfinger.ledger.reading import ANONYMOUS, ERASED, Stored
from wharfinger.ledger.record import AuditRecord, RecordKind

IDLE_MS: Final = 15 * 60_000
"""Parts that lie further apart belong to different actions."""
SAME_MS: Final = 60_000
"""The same digest again so soon is the same action: another tag, or a pull by digest after a look at the tag."""

SHOWN: Final = 19
"""Characters of a digest that people are shown."""


class GroupKind(StrEnum):
    """What somebody did."""

    PUSH = "push"
    PULL = "pull"
    CHECK = "check"
    """Looked whether it is there, and took nothing."""
    DELETE = "delete"
    OTHER = "other"
    """A record that is no event, or an event of no known action; it stands alone."""


@dataclass(slots=True)
class Group:
    """One action. ``seqs``: its records' numbers, ascending. ``size``: bytes of what was pushed or pulled, as far as told."""

    kind: GroupKind
    source: str
    account: str
    repository: str
    digest: str = ""
    erased: bool = False
    previous_digest: str = ""
    tags: list[str] = field(default_factory=list)
    size: int = 0
    blobs: int = 0
    mounted: int = 0
    children: int = 0
    probes: int = 0
    first_at: int = 0
    last_at: int = 0
    seqs: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    verdicts: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)

    def headline(self) -> str:
        """What people read: ``ci pushed shop/web:1.4 (sha256:0123456789ab), 5 blobs, 2 mounted, was sha256:ab9876543210``."""
        what = self.repository + (":" + ",".join(self.tags) if self.tags else "")
        digest = f" ({self.digest[:SHOWN]})" if self.digest else ""
        parts = [
            _count(self.children, "child manifest"),
            _count(self.blobs, "blob"),
            f"{self.mounted} mounted" if self.mounted else "",
            was(self.previous_digest, self.digest),
        ]
        verb = _VERBS[self.kind]
        return ", ".join(
            [f"{ERASED if self.erased else self.account or ANONYMOUS} {verb} {what}{digest}", *filter(None, parts)]
        )

    def to_json(self) -> dict[str, Any]:
        """What programs read: one of these a line."""
        return {
            "kind": self.kind.value,
            "source": self.source,
            "account": self.account,
            "repository": self.repository,
            "tags": self.tags,
            "digest": self.digest,
            "previous_digest": self.previous_digest,
            "size": self.size,
            "blobs": self.blobs,
            "mounted": self.mounted,
            "children": self.children,
            "probes": self.probes,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "tokens": sorted(self.tokens),
            "verdicts": sorted(self.verdicts),
            "flags": sorted(self.flags),
            "erased": self.erased,
            "seqs": self.seqs,
        }

    def add(self, seq: int, record: AuditRecord) -> None:
        """Count a record to it."""
        self.seqs.append(seq)
        self.tokens |= {record.jti} - {""}
        self.verdicts |= {record.verdict} - {""}
        self.flags |= set(record.flags.split())
        self.first_at = self.first_at or record.occurred_at
        self.last_at = max(self.last_at, record.occurred_at)

    def tag(self, tag: str) -> None:
        """Remember a tag, if there is one."""
        if tag and tag not in self.tags:
            self.tags.append(tag)


_VERBS: Final = {
    GroupKind.PUSH: "pushed",
    GroupKind.PULL: "pulled",
    GroupKind.CHECK: "looked for",
    GroupKind.DELETE: "deleted",
    GroupKind.OTHER: "",
}


def group(records: Iterable[Stored]) -> list[Group]:
    """Group records; what belongs to nothing stands alone."""
    desks: dict[tuple[str, str, str, bool], _Desk] = {}
    groups: list[Group] = []
    for one in records:
        record = one.record
        if record.kind is not RecordKind.EVENT:
            groups.append(_alone(one, GroupKind.OTHER))
            continue
        # Several people's erased events look like one's: who did what together is gone with their names.
        key = (record.source, record.personal.account, record.repository, one.erased)
        desk = desks.setdefault(key, _Desk(groups))
        desk.take(one)
    for desk in desks.values():
        desk.close()
    return sorted(groups, key=lambda found: found.seqs[0])


class _Desk:
    """What one account does in one repository: parts on the desk, and the actions they end up in."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._parts: list[Stored] = []
        self._push: Group | None = None
        self._pull: Group | None = None
        self._delete: tuple[str, Group] | None = None
        self._last_at = 0

    def take(self, one: Stored) -> None:
        """The next event."""
        if one.record.occurred_at - self._last_at > IDLE_MS:
            self.close()
        self._last_at = max(self._last_at, one.record.occurred_at)
        is_blob = one.record.object_kind == "blob"
        match one.record.action:
            case "push" if is_blob or not one.record.tag:
                self._parts.append(one)
            case "push":
                self._pushed(one)
            case "mount":
                self._parts.append(one)
            case "probe" if is_blob:
                self._probed(one)
            case "pull" if is_blob:
                self._pulled_blob(one)
            case "pull" | "probe":
                self._pulled(one)
            case "delete" | "untag":
                self._deleted(one)
            case _:
                self._groups.append(_alone(one, GroupKind.OTHER))

    def close(self) -> None:
        """Nothing more comes: parts without a tagged manifest are an action of their own."""
        manifests = [one for one in self._parts if one.record.object_kind in {"manifest", "index"}]
        if self._parts:
            only_looked = all(one.record.action == "probe" for one in self._parts)
            made = self._begin(self._parts[0], GroupKind.CHECK if only_looked else GroupKind.PUSH)
            _gather(made, self._parts)
            if manifests:
                made.digest = manifests[-1].record.digest
                made.children -= 1
        self._parts, self._push, self._pull, self._delete = [], None, None, None

    def _pushed(self, one: Stored) -> None:
        record = one.record
        open_push = self._push
        again = open_push is not None and open_push.digest == record.digest and not self._parts
        if open_push is None or not again or record.occurred_at - open_push.last_at > SAME_MS:
            open_push = self._push = self._begin(self._parts[0] if self._parts else one, GroupKind.PUSH)
            _gather(open_push, self._parts)
            self._parts = []
            open_push.digest, open_push.previous_digest = record.digest, record.previous_digest
            open_push.size += record.size
        open_push.tag(record.tag)
        open_push.add(one.seq, record)

    def _probed(self, one: Stored) -> None:
        # A look at a blob precedes or follows its push; it never begins anything.
        if self._parts or self._pull is None:
            self._parts.append(one)
            return
        self._pull.probes += 1
        self._pull.add(one.seq, one.record)

    def _pulled(self, one: Stored) -> None:
        record = one.record
        found = self._pull
        soon = found is not None and record.occurred_at - found.last_at <= SAME_MS
        if found is None or not soon or not (found.digest == record.digest or not record.tag):
            found = self._pull = self._begin(one, GroupKind.CHECK)
            found.digest = record.digest
        elif found.digest != record.digest:
            found.children += 1
        if record.action == "pull":
            found.kind = GroupKind.PULL
            found.size += record.size
        else:
            found.probes += 1
        found.tag(record.tag)
        found.add(one.seq, record)

    def _pulled_blob(self, one: Stored) -> None:
        if self._pull is None:
            self._pull = self._begin(one, GroupKind.PULL)
        self._pull.kind = GroupKind.PULL
        self._pull.blobs += 1
        self._pull.size += one.record.size
        self._pull.add(one.seq, one.record)

    def _deleted(self, one: Stored) -> None:
        record = one.record
        if self._delete is None or self._delete[0] != record.request_id:
            self._delete = record.request_id, self._begin(one, GroupKind.DELETE)
        made = self._delete[1]
        made.digest = made.digest or record.digest
        made.tag(record.tag)
        made.add(one.seq, record)

    def _begin(self, one: Stored, kind: GroupKind) -> Group:
        made = Group(kind, one.record.source, one.record.personal.account, one.record.repository, erased=one.erased)
        self._groups.append(made)
        return made


def _gather(made: Group, parts: Sequence[Stored]) -> None:
    for one in parts:
        record = one.record
        made.add(one.seq, record)
        if record.action == "probe":
            made.probes += 1
            continue
        made.size += record.size
        made.mounted += record.action == "mount"
        made.blobs += record.action == "push" and record.object_kind == "blob"
        made.children += record.action == "push" and record.object_kind != "blob"


def _alone(one: Stored, kind: GroupKind) -> Group:
    made = Group(
        kind, one.record.source, one.record.personal.account, one.record.repository, one.record.digest, erased=one.erased
    )
    made.add(one.seq, one.record)
    return made


def was(previous: str, now: str) -> str:
    """What a tag was before, for people; empty when it was nothing, or the same."""
    return f"was {previous[:SHOWN]}" if previous not in {"", now} else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""
