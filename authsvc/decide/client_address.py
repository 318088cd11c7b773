"""Decides which address a client has: the peer's own, or what a trusted proxy's header says where that is configured."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from authsvc.decide.request import BadRequest
from wharfinger.runtime.settings import RealIp

_WITH_PORT: Final = re.compile(r"\[(?P<v6>.+)\]:\d+|(?P<v4>[^:]+):\d+", re.ASCII)
"""Some proxies write the port too."""


def client_address(peer: str, header: Sequence[str], real_ip: RealIp | None) -> str | BadRequest:
    """The client's address, or a refusal: access must not hang on an address that is not known.

    Args:
        peer: as the socket saw it; empty on a unix socket.
        header: the values of the configured header; only the first line counts, as in docker_auth.
        real_ip: how the header is read; None: not at all. A position beyond the list is refused: docker_auth takes the
            first entry then, which the client itself may have written.
    """
    if real_ip is None:
        return peer.partition("%")[0]
    entries = [entry.strip() for entry in header[0].split(",")] if header and header[0].strip() else []
    try:
        entry = entries[real_ip.position]
        port = _WITH_PORT.fullmatch(entry)
        address = ip_address(entry if port is None else port["v6"] or port["v4"])
    except (IndexError, ValueError):
        return BadRequest("client address not provided")
    # A zone means something on one machine only.
    return BadRequest("client address not provided") if "%" in str(address) else str(address)
