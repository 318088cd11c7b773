"""The ip condition: blocks, mapped addresses, and what is refused."""

from ipaddress import ip_address, ip_network

import pytest

from wharfinger.policy.address import parse_block, within


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::1", "::1/128"),
        ("2001:db8::/96", "2001:db8::/96"),
        ("::/0", "::/0"),
    ],
)
def test_blocks(text: str, block: str) -> None:
    """Host bits are cut; a mapped block is the IPv4 one."""
    assert parse_block(text) == ip_network(block)


@pytest.mark.parametrize("text", ["010.1.2.3", "10.0.0.0/08", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "x", ""])
def test_refused(text: str) -> None:
    """What Go's net package does not read."""
    with pytest.raises(ValueError, match=r"."):
        parse_block(text)


@pytest.mark.parametrize(
    ("block", "address", "expected"),
    [
        ("10.0.0.0/8", "10.200.0.1", True),
        ("10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "10.0.0.1", False),
        ("10.0.0.0/8", None, False),
    ],
)
def test_within(block: str, address: str | None, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Families do not cross, and a request without an address is in no block."""
    assert within(parse_block(block), None if address is None else ip_address(address)) is expected
