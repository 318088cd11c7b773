"""An order names its image by digest."""

from workers.decide.order import Order

ORDER = Order(
    delivery_id="dlv_1", rule="r", target="t", source="main", registry_host="reg:5000", repository="a/b", tag="v1",
    digest="sha256:one", media_type="m", account="zoe", jti="j", event_id="e", pushed_at_ms=1_795_477_894_030, attempt=1,
)  # fmt: skip


def test_image() -> None:
    """What is deployed is repository@digest, whatever the tag is by then."""
    assert ORDER.image() == "reg:5000/a/b@sha256:one"
