"""The codec: what is written is read, what is unknown is ignored, what is damaged is told."""

import pytest

from wharfinger.wire.codec import UnreadableRecord, decode, encode
from wharfinger.wire.scope import Scope


def test_there_and_back() -> None:
    """A record comes back equal, also from a newer writer that says more."""
    scope = Scope("repository", "a", ("pull",))
    assert decode(Scope, encode(scope)) == scope
    assert decode(Scope, encode(scope)[:-1] + b',"later":1}') == scope


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"type":1}', b"\xff"])
def test_damage(data: bytes) -> None:
    """The fault names the kind of record, never the content."""
    with pytest.raises(UnreadableRecord, match="not a Scope"):
        decode(Scope, data)
