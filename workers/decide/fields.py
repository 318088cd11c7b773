"""What a push has to put into a text with ``{{name}}``: the fields of ``wharfinger.runtime.templates``."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from wharfinger.runtime.templates import render
from workers.decide.order import Order


def fields(order: Order) -> Mapping[str, str]:
    """Every field of an order, as text."""
    return {
        "delivery_id": order.delivery_id,
        "rule": order.rule,
        "target": order.target,
        "source": order.source,
        "registry": order.registry_host,
        "repository": order.repository,
        "tag": order.tag,
        "digest": order.digest,
        "image": order.image(),
        "media_type": order.media_type,
        "account": order.account,
        "jti": order.jti,
        "event_id": order.event_id,
        "pushed_at": moment(order.pushed_at_ms),
        "attempt": str(order.attempt),
        "alarm": order.alarm,
    }


def filled(texts: Mapping[str, str], order: Order) -> dict[str, str]:
    """Texts by name, each with an order's fields in it."""
    values = fields(order)
    return {name: render(text, values) for name, text in texts.items()}


def fill(text: str, order: Order, escape: Callable[[str], str] = str) -> str:
    """One text with an order's fields in it, each escaped."""
    return render(text, fields(order), escape)


def moment(milliseconds: int) -> str:
    """A time as RFC 3339 writes it, in UTC."""
    whole = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return whole.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1_000:03d}Z"
