"""Messages to people: what one says, and what it means how sending one ended."""

import re
from dataclasses import dataclass
from typing import Final

from wharfinger.runtime.settings import MessageTarget, Secret
from workers.decide.conversation import masked, storable
from workers.decide.destination import is_address, what_would_allow
from workers.decide.fields import fill
from workers.decide.order import Order, Refused, Retry

_ALARM_TITLE: Final = "Wharfinger: alarm"
_ALARM: Final = "{{alarm}}: {{repository}}:{{tag}} ({{digest}}), account {{account}}, token {{jti}}, event {{event_id}}"
_PARTS: Final = re.compile(r"[^/:@?&=,;\s]{6,}")
"""What of an address may be a secret: Apprise's hold them anywhere."""


@dataclass(frozen=True, slots=True)
class Told:
    """How sending ended. ``forbidden``: the addresses that were not connected to; ``said``: Apprise's last words."""

    known: bool
    sent: bool
    forbidden: list[str]
    said: str


def title_and_body(order: Order, target: MessageTarget) -> tuple[str, str]:
    """What is told: of an alarm its own words, whatever is configured for pushes."""
    if order.alarm:
        return _ALARM_TITLE, fill(_ALARM, order)
    return fill(target.title, order), fill(target.body, order)


def shortcoming(told: Told | None, url: Secret, *, number: int) -> Refused | Retry | None:
    """Why an address was not told; None: it was. ``told`` None: no end came in time. Its own parts are in no reason."""
    which = f"message {number}"
    if told is None:
        return Retry(f"{which} did not come to an end in time")
    if told.sent:
        return None
    if not told.known:
        return Refused(f"{which}: Apprise knows no such service, or not so written")
    for address in told.forbidden:
        if is_address(address):
            return Refused(f"{which} leads to {address}, which is neither public nor allowed: add {what_would_allow(address)}")
        return Refused(f"{which} leads to {address}, where nothing is sent")
    whole = url.reveal().decode("utf-8", "replace")
    parts = tuple(Secret(part.encode()) for part in (whole, *sorted(_PARTS.findall(whole), key=len, reverse=True)))
    found = masked(Retry(f"{which} was not taken: {storable(told.said) or 'not told why'}"), parts)
    return found if isinstance(found, Retry) else None
