"""The port Bodies: its suite on the fake and on a spill folder, and what a writer to Redis cannot make the folder read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workers.fakes import MemoryBodies
from wharfinger.wire.codec import UnreadableRecord
from wharfinger.wire.notification import MAX_BODY, Notification, StoredNotification, compress
from workers.adapters.bodies import SpilledBodies
from workers.ports import Bodies


@dataclass
class Subject:
    """An implementation, how the notifier spills for it, and the names of what is spilled."""

    port: Bodies
    spill: Callable[[str, bytes], None]
    spilled: Callable[[], set[str]]


@pytest.fixture(params=["fake", "folder"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        fake = MemoryBodies()
        return Subject(fake, fake.spilled.__setitem__, lambda: set(fake.spilled))

    def spill(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)

    return Subject(SpilledBodies(tmp_path), spill, lambda: {file.name for file in tmp_path.iterdir()})


def stored(compressed: bytes = b"", *, spill: str = "") -> StoredNotification:
    """A stream entry."""
    record = Notification(source="main", peer="", received_at=1, size=1, sha256="ab", spill=spill)
    return StoredNotification(record, compressed)


@pytest.mark.parametrize("body", [b"", b'{"events": []}', bytes(range(256)) * 1_000])
def test_a_body_is_read_as_it_came(subject: Subject, body: bytes) -> None:
    """From its entry, and from its file."""
    subject.spill("1-a.z", compress(body))
    assert subject.port.read(stored(compress(body))) == body
    assert subject.port.read(stored(spill="1-a.z")) == body


@pytest.mark.parametrize(
    "content",
    [b"", b"x", compress(b"whole")[:-1], compress(bytes(MAX_BODY + 1))],
    ids=["empty", "other", "cut off", "too large"],
)
def test_a_body_that_cannot_be_read(subject: Subject, content: bytes) -> None:
    """It is told as such, in its entry and in its file; a small file does not become a large memory."""
    subject.spill("1-a.z", content)
    for one in (stored(content), stored(spill="1-a.z")):
        with pytest.raises(UnreadableRecord):
            subject.port.read(one)


def test_a_file_that_is_lost(subject: Subject) -> None:
    """Told as such."""
    with pytest.raises(UnreadableRecord, match="lost"):
        subject.port.read(stored(spill="1-a.z"))


def test_forgetting(subject: Subject) -> None:
    """Removes what was spilled for these and nothing else; what is not there any more is no fault."""
    for name in ("1-a.z", "2-b.z", "3-c.z"):
        subject.spill(name, b"x")
    given = [stored(spill="1-a.z"), stored(b"inline"), stored(spill="3-c.z")]
    subject.port.forget(given)
    subject.port.forget(given)
    assert subject.spilled() == {"2-b.z"}


def test_forgetting_nothing(subject: Subject) -> None:
    """Is nothing."""
    subject.spill("1-a.z", b"x")
    subject.port.forget([])
    assert subject.spilled() == {"1-a.z"}


@pytest.mark.parametrize("name", ["../secret", "/{}/secret", "a/../../secret", "..", ".", "a\x00b"])
def test_a_name_does_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    """Whoever writes to Redis does not choose what is read or removed."""
    folder = tmp_path / "spill"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(compress(b"secret"))
    bodies, one = SpilledBodies(folder), stored(spill=name.format(tmp_path))
    with pytest.raises(UnreadableRecord):
        bodies.read(one)
    bodies.forget([one])
    assert (tmp_path / "secret").exists()
    assert folder.is_dir()
