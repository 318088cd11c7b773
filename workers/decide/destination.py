"""Decides whether an address may be sent to: public ones, and what the operator allowed for this target. Resolves nothing.

An address that embeds an IPv4 one is judged by that too (mapped, 6to4), or is no public one at all (NAT64, Teredo).
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from wharfinger.runtime.settings import Network


def may_be_sent_to(address: str, allow: Sequence[Network], *, plain: bool = False) -> bool:
    """Whether an address, as resolved, may be connected to.

    Args:
        address: text of an IPv4 or IPv6 address.
        allow: networks of the target's ``allow``.
        plain: without TLS, so only to what is allowed by name.
    """
    if not is_address(address):
        return False
    parsed = ip_address(address.partition("%")[0])
    return all(_allowed(one, allow, plain=plain) for one in _with_embedded(parsed))


def is_address(text: str) -> bool:
    """Whether a text is an address, and no name that leads to one."""
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def what_would_allow(address: str) -> str:
    """The line of configuration that lets an address be sent to."""
    judged = _with_embedded(ip_address(address.partition("%")[0]))
    return "allow: [" + ", ".join(f'"{one}/{one.max_prefixlen}"' for one in judged) + "]"


def _allowed(address: IPv4Address | IPv6Address, allow: Sequence[Network], *, plain: bool) -> bool:
    if any(address.version == network.version and address in network for network in allow):
        return True
    return not plain and address.is_global and not address.is_multicast and not address.is_reserved


def _with_embedded(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
