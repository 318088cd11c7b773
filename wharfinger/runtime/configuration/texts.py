"""Texts that stand in many settings: addresses, URLs, networks, names. Parsers raise ValueError with a phrase for people."""

import re
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.settings import Address, Network
from wharfinger.runtime.yaml_nodes import Section

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""Names that stand in URLs and logs."""
_PORT_MAX: Final = 65_535


def parse_address(text: str) -> Address:
    """``HOST:PORT``, ``:PORT`` or ``[V6]:PORT``. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"{text!r} is no HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets")
    return Address(host, int(port))


def parse_base_url(text: str) -> str:
    """An http or https URL with a host and without credentials; no slash at its end. Raises ValueError, without the text."""
    parts = urlsplit(text)
    # Reading the port raises ValueError for what is none.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("is no http:// or https:// URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has credentials in it, which do not belong there")
    return text.rstrip("/")


def networks(section: Section) -> tuple[Network, ...]:
    """A section's ``allow``: addresses and CIDR blocks."""
    found = []
    for text in section.texts("allow"):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            section.fault("allow", f"{text!r} is no address or CIDR block", "write 10.0.0.0/8")
    return tuple(found)
