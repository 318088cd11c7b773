"""The fields of a push as text."""

from tests.workers.orders import ORDER
from wharfinger.runtime.templates import FIELDS
from workers.decide.fields import fields, fill, filled


def test_every_field_has_a_value() -> None:
    """What the configuration lets stand in a text, an order can put in; and nothing beside."""
    assert tuple(fields(ORDER)) == FIELDS
    assert [name for name, value in fields(ORDER).items() if not value] == ["alarm"]


def test_put_into_texts() -> None:
    """One, or several by name."""
    assert fill("{{image}} at {{pushed_at}}", ORDER) == f"reg:5000/shop/cart@{ORDER.digest} at 2026-11-23T23:51:34.123Z"
    assert fill("{{account}}", ORDER, str.upper) == 'ZOË "Z"'
    assert filled({"A": "{{tag}}", "B": "x"}, ORDER) == {"A": "v1", "B": "x"}
