"""Where a body goes."""

import pytest

from notifier.decide.placing import Arrived, Place, notification, place
from wharfinger.wire.notification import MAX_BODY, MAX_INLINE


@pytest.mark.parametrize(
    ("size", "compressed", "where"),
    [
        (0, 0, Place.INLINE),
        (MAX_BODY, MAX_INLINE, Place.INLINE),
        (MAX_BODY, MAX_INLINE + 1, Place.SPILLED),
        (MAX_BODY + 1, 0, Place.DROPPED),
    ],
)
def test_place(size: int, compressed: int, where: Place) -> None:
    """By its size as it came, and as it is stored."""
    assert place(size=size, compressed=compressed) is where
    arrived = Arrived(
        source="m", peer="p", received_at=1, size=size, sha256="s", content_type="c", compressed=compressed, spill="f"
    )
    record = notification(arrived)
    assert (record.dropped, record.spill) == (where is Place.DROPPED, "f" if where is Place.SPILLED else "")
