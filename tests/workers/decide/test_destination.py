"""Where webhooks may go."""

from ipaddress import ip_network

import pytest

from workers.decide.destination import is_address, may_be_sent_to, what_would_allow

FORBIDDEN = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "nonsense",
    "",
]


@pytest.mark.parametrize(
    ("address", "allowed"), [("8.8.8.8", False), ("2606:4700::1", False), ("10.0.0.1", True), ("10.1.0.1", False)]
)
def test_without_tls(address: str, allowed: bool) -> None:  # noqa: FBT001 - a column
    """Only to what is named, though it be public: whoever is on the way reads it."""
    assert may_be_sent_to(address, (ip_network("10.0.0.0/16"),), plain=True) is allowed


@pytest.mark.parametrize("address", FORBIDDEN)
def test_forbidden(address: str) -> None:
    """Nothing private, local or special, in no disguise."""
    assert not may_be_sent_to(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1"])
def test_public(address: str) -> None:
    """What the world can reach."""
    assert may_be_sent_to(address, ())


def test_allowed_for_one_target() -> None:
    """The operator may open private networks for a target; others stay closed."""
    allow = (ip_network("10.0.0.0/8"), ip_network("fc00::/7"))
    assert may_be_sent_to("10.1.1.1", allow)
    assert may_be_sent_to("fc00::1", allow)
    assert not may_be_sent_to("127.0.0.1", allow)


@pytest.mark.parametrize("address", [address for address in FORBIDDEN if is_address(address)])
def test_what_would_allow_it(address: str) -> None:
    """The line that is shown lets that very address in, and no other."""
    networks = [ip_network(one) for one in what_would_allow(address).split('"')[1::2]]
    assert {one.num_addresses for one in networks} == {1}
    assert may_be_sent_to(address, networks)
