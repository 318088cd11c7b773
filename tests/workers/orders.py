"""An order for tests of what is sent."""

from workers.decide.order import Order

ORDER = Order(
    delivery_id="dlv_1",
    rule="web",
    target="prod",
    source="main",
    registry_host="reg:5000",
    repository="shop/cart",
    tag="v1",
    digest="sha256:" + "ab" * 32,
    media_type="application/vnd.oci.image.manifest.v1+json",
    account='zoë "z"',
    jti="j1",
    event_id="e1",
    pushed_at_ms=1_795_477_894_123,
    attempt=1,
)
