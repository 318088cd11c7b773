"""The ``ip`` condition: one address or one CIDR block, an IPv4-mapped address being the IPv4 one."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_BITS = 96


def parse_block(text: str) -> Network:
    """Read a condition; host bits are allowed, leading zeros are not. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which no request shows")
    if "/" not in text:
        return ip_network(plain(ip_address(text)))
    address, _, length = text.partition("/")
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length.startswith("0")):
        raise ValueError(f"{text!r} has no plain prefix length")
    network = ip_network(f"{ip_address(address)}/{length}", strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def plain(address: Address) -> Address:
    """The address itself, or the IPv4 one that it maps."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def within(block: Network, address: Address | None) -> bool:
    """Whether an address lies in a block; no address lies in none, and families do not cross."""
    if address is None:
        return False
    looked_for = plain(address)
    return looked_for.version == block.version and looked_for in block
