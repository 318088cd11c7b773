"""Names in Redis: all of ours, each once, each documented."""

from wharfinger.wire import keys
from wharfinger.wire.names import Jti


def test_every_name_is_ours_and_unique() -> None:
    """One prefix, no two alike."""
    patterns = [one.pattern for one in keys.CATALOGUE]
    assert len(set(patterns)) == len(patterns)
    assert all(pattern.removeprefix("rq:queue:").startswith("wharfinger") for pattern in patterns)


def test_the_catalogue_has_every_constant() -> None:
    """A name that is not in the table is in no document."""
    patterns = {one.pattern for one in keys.CATALOGUE}
    names = {keys.issuance(Jti("<jti>")), keys.WAKE, *keys.STREAMS}
    assert names <= patterns
    assert {f"rq:queue:{queue}" for queue in (keys.SETTLE_QUEUE, keys.DELIVER_QUEUE)} <= patterns
