"""The client's address: the peer's, or a trusted proxy's word, or a refusal."""

import pytest

from authsvc.decide.client_address import client_address
from authsvc.decide.request import BadRequest
from wharfinger.runtime.settings import RealIp

LIST = ["203.0.113.9, 10.0.0.2, 10.0.0.3"]


@pytest.mark.parametrize(
    ("expected", "peer", "header", "real_ip"),
    [
        ("10.1.1.1", "10.1.1.1", LIST, None),
        ("fe80::1", "fe80::1%eth0", LIST, None),
        ("", "", [], None),
        ("203.0.113.9", "10.1.1.1", LIST, RealIp("X-Forwarded-For")),
        ("10.0.0.3", "10.1.1.1", LIST, RealIp("X-Forwarded-For", -1)),
        ("10.0.0.2", "10.1.1.1", LIST, RealIp("X-Forwarded-For", -2)),
        ("10.0.0.1", "10.1.1.1", ["10.0.0.1:80"], RealIp("X-Real-Ip")),
        ("2001:db8::1", "10.1.1.1", ["[2001:db8::1]:80"], RealIp("X-Real-Ip")),
        ("2001:db8::1", "10.1.1.1", ["2001:db8::1"], RealIp("X-Real-Ip")),
        ("203.0.113.9", "10.1.1.1", [*LIST, "1.1.1.1"], RealIp("X-Forwarded-For")),
    ],
)
def test_known(expected: str, peer: str, header: list[str], real_ip: RealIp | None) -> None:
    """From the left or from the end, of the first line only."""
    assert client_address(peer, header, real_ip) == expected


@pytest.mark.parametrize(
    ("header", "position"),
    [
        ([], 0),
        ([""], 0),
        (LIST, 3),
        (LIST, -4),
        (["not an address"], 0),
        (["fe80::1%eth0 x"], 0),
        (["10.0.0.1:"], 0),
        (["2001:db8::1:80:x"], 0),
        (["[10.0.0.1]"], 0),
    ],
)
def test_refused(header: list[str], position: int) -> None:
    """Missing, beyond the list on either side, or no address: nobody is let in by an address that is not known."""
    assert isinstance(client_address("10.1.1.1", header, RealIp("X-Real-Ip", position)), BadRequest)
