"""The notifier's series. What each means for people stands in docs/metrics.md, which is tested against this table."""

from typing import Final

from wharfinger.runtime.metrics import counter, histogram

KEPT: Final = ("stored", "spilled", "dropped")

POSTS: Final = counter(
    "wharfinger_notifier_posts_total",
    "Notifications that registries posted, by what became of them.",
    outcome=(*KEPT, "no_secret", "wrong_secret", "wrong_source", "wrong_address", "method", "unavailable", "broken_off"),
)
ACK_SECONDS: Final = histogram("wharfinger_notifier_ack_seconds", "From a post's head to its 202: it is durable then.")
BYTES: Final = counter("wharfinger_notifier_bytes_total", "Bytes of the bodies answered with 202, as they came.", outcome=KEPT)

TABLE: Final = (POSTS, ACK_SECONDS, BYTES)
"""Of ``wharfinger serve notifier``."""
