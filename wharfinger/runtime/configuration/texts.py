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
    """An http or https URL that paths are put behind; no slash at its end. Raises ValueError, without the text."""
    if "?" in text or "#" in text:
        raise ValueError("has a ? or #, behind which no path can stand")
    return parse_url(text).rstrip("/")


def parse_url(text: str) -> str:
    """An http or https URL with a host and without credentials. Raises ValueError, without the text."""
    if scheme(text) not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError("is no http:// or https:// URL with a host")
    if urlsplit(text).username is not None or urlsplit(text).password is not None:
        raise ValueError("has credentials in it, which do not belong there")
    if not (text.isascii() and text.isprintable()) or " " in text:
        # Else it would be found out with the first request, and tried again for days.
        raise ValueError("holds a space or another letter that a URL must write as %20 and the like")
    return text


def scheme(url: str) -> str:
    """The scheme of a URL whose address and port are such; else empty."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    return "" if port == 0 else parts.scheme


def networks(section: Section) -> tuple[Network, ...]:
    """A section's ``allow``: addresses and CIDR blocks."""
    found = []
    for text in section.texts("allow"):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            section.fault("allow", f"{text!r} is no address or CIDR block", "write 10.0.0.0/8")
    return tuple(found)
