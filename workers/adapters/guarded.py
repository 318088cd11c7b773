"""Where a URL of the outside is, if it may be sent to: every address of its name is checked, and that very one is used."""

import socket
from collections.abc import Sequence
from urllib.parse import SplitResult

from wharfinger.runtime.settings import Network
from workers.adapters.http import Endpoint
from workers.decide.destination import may_be_sent_to
from workers.errors import Unavailable


def guarded_endpoint(url: SplitResult, allow: Sequence[Network]) -> Endpoint | None:
    """The endpoint; None when an address is neither public nor allowed. Raises Unavailable: the name does not resolve."""
    host, tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{host} cannot be resolved: {error.strerror}") from error
    addresses = [str(one[4][0]) for one in found]
    # One address that is not allowed spoils the name: it may be the next one that is tried.
    if not all(may_be_sent_to(address, allow) for address in addresses):
        return None
    return Endpoint(host, port, address=addresses[0], tls=tls)
