"""Decides whether a post carries a source's secret, and comes from where that source may be. Compares in constant time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

from wharfinger.runtime.settings import Network, Source

_SCHEME: Final = "bearer"


class Why(StrEnum):
    """Why a post is refused; for the log, the sender is only told 401."""

    NO_SECRET = "no_secret"  # noqa: S105 - a reason
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason
    WRONG_SOURCE = "wrong_source"
    WRONG_ADDRESS = "wrong_address"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not authorised."""

    why: Why


def authorise(sources: Sequence[Source], *, named: str | None, authorization: Sequence[str], peer: str) -> Source | Refused:
    """Find the source that a post speaks for.

    Args:
        sources: every configured one.
        named: the source in the path; None: whichever has the secret.
        authorization: the values of the Authorization header; exactly one ``Bearer`` is asked for.
        peer: the sender's address as the socket saw it.
    """
    if len(authorization) != 1:
        return Refused(Why.NO_SECRET)
    scheme, _, claimed = authorization[0].partition(" ")
    if scheme.lower() != _SCHEME or not claimed.strip():
        return Refused(Why.NO_SECRET)
    secret = claimed.strip().encode("utf-8", "surrogateescape")
    # Every secret is compared, whatever was found before: the time taken tells nothing.
    held = [source for source in sources if sum(one.matches(secret) for one in source.secrets)]
    if not held:
        return Refused(Why.WRONG_SECRET)
    source = next((one for one in held if named is None or one.name == named), None)
    if source is None:
        return Refused(Why.WRONG_SOURCE)
    if source.allow and not _within(source.allow, peer):
        return Refused(Why.WRONG_ADDRESS)
    return source


def _within(allow: Sequence[Network], peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
    return any(plain.version == network.version and plain in network for network in allow)
