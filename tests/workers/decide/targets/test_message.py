"""Messages: what is said, and why somebody was not told."""

from dataclasses import replace

import pytest

from tests.workers.orders import ORDER
from wharfinger.runtime.settings import MessageTarget, Secret
from workers.decide.order import Refused, Retry, Sent
from workers.decide.targets.message import Told, shortcoming, title_and_body

URL = Secret(b"slack://TokenAAAA/TokenBBBB/c#room")
TARGET = MessageTarget(name="m", urls=(URL,), title="{{tag}}", body="{{account}}: {{image}}", allow=(), line=1)


def test_what_is_said() -> None:
    """As it is configured; of an alarm in words of its own."""
    assert title_and_body(ORDER, TARGET) == ("v1", f'zo\u00eb "z": {ORDER.image()}')
    title, body = title_and_body(replace(ORDER, alarm="forged"), TARGET)
    assert title == "Wharfinger: alarm"
    assert body.startswith("forged: shop/cart:v1 ")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Told(known=True, sent=True, forbidden=[], said=""), None),
        (None, Retry("message 2 did not come to an end in time")),
        (Told(known=False, sent=False, forbidden=[], said="x"), Refused("message 2: Apprise knows no such service, or not so written")),
        (
            Told(known=True, sent=False, forbidden=["10.0.0.7"], said="x"),
            Refused('message 2 leads to 10.0.0.7, which is neither public nor allowed: add allow: ["10.0.0.7/32"]'),
        ),
        (Told(known=True, sent=False, forbidden=["a local socket"], said="x"), Refused("message 2 leads to a local socket, where nothing is sent")),
        (Told(known=True, sent=False, forbidden=[], said=""), Retry("message 2 was not taken: not told why")),
        (
            Told(known=True, sent=False, forbidden=[], said="slack://TokenAAAA/TokenBBBB/c#room: TokenBBBB is not valid"),
            Retry("message 2 was not taken: ***: *** is not valid"),
        ),
    ],
)  # fmt: skip
def test_shortcomings(told: Told | None, expected: Sent | None) -> None:
    """Later, or a person must change something; nothing of the address is told."""
    assert shortcoming(told, URL, number=2) == expected
