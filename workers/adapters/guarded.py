"""Where a URL of the outside is, if it may be sent to: every address of its name is checked, and that very one is used."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit

from wharfinger.runtime.settings import Network, Reach
from workers.adapters.http import Endpoint
from workers.decide.destination import may_be_sent_to, what_would_allow
from workers.errors import Unreached


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Where a name leads that may not be sent to. ``plain``: it is public, but ``http:`` goes only to what is allowed."""

    name: str
    address: str
    plain: bool = False


def guarded_endpoint(url: SplitResult, allow: Sequence[Network]) -> Endpoint | Forbidden:
    """The endpoint, unless an address is neither public nor allowed. Raises Unreached: the name does not resolve."""
    host, tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreached(f"{host} cannot be resolved: {error.strerror}") from error
    addresses = [str(one[4][0]) for one in found]
    # One address that is not allowed spoils the name: it may be the next one that is tried.
    for address in addresses:
        if not may_be_sent_to(address, allow):
            return Forbidden(host, address)
    return Endpoint(host, port, address=addresses[0], tls=tls)


def reached(reach: Reach) -> Endpoint | Forbidden:
    """The endpoint of a target's URL, with what it is trusted by and shown. Raises Unreached: its name does not resolve."""
    url = urlsplit(reach.url)
    found = guarded_endpoint(url, reach.allow)
    if isinstance(found, Forbidden):
        return found
    if not found.tls and not may_be_sent_to(found.address, reach.allow, plain=True):
        return Forbidden(found.name, found.address, plain=True)
    pair = reach.pair
    shown = ("", "") if pair is None else (str(pair.certificate), str(pair.key))
    return replace(found, ca=str(reach.ca_file or ""), certificate=shown[0], key=shown[1])


def why_not(forbidden: Forbidden) -> str:
    """A refusal for people, with the line of configuration that would allow it."""
    address = forbidden.address
    why = "http: goes only to the target's allow" if forbidden.plain else "which is neither public nor in the target's allow"
    return f"{forbidden.name} is at {address}, {why}: to send there, add {what_would_allow(address)}"
