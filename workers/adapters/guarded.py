"""Where a URL of the outside is, if it may be sent to: every address of its name is checked, and that very one is used."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult

from wharfinger.runtime.settings import Network
from workers.adapters.http import Endpoint
from workers.decide.destination import may_be_sent_to
from workers.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Where a name leads that is neither public nor allowed."""

    address: str


def guarded_endpoint(url: SplitResult, allow: Sequence[Network]) -> Endpoint | Forbidden:
    """The endpoint, unless an address is neither public nor allowed. Raises Unavailable: the name does not resolve."""
    host, tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{host} cannot be resolved: {error.strerror}") from error
    addresses = [str(one[4][0]) for one in found]
    # One address that is not allowed spoils the name: it may be the next one that is tried.
    for address in addresses:
        if not may_be_sent_to(address, allow):
            return Forbidden(address)
    return Endpoint(host, port, address=addresses[0], tls=tls)
