"""Addresses of one file that cannot all be had: two of our services on one, or one of them where a registry is said to be."""

from urllib.parse import urlsplit

from wharfinger.runtime.settings import Address, Source
from wharfinger.runtime.yaml_nodes import Section

_ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def find_clashes(top: Section, auth: Address, notifier: Address, sources: tuple[Source, ...]) -> None:
    """A fault for our two services on one address; a warning for either on that of a source's registry on this machine."""
    if not sources:
        return  # then no notifier is started
    section = top.section("notifier")
    assert section is not None  # noqa: S101 - it has sources
    if _meet(auth, notifier):
        section.fault("addr", f"{notifier} is where server.addr ({auth}) listens", "give each a port of its own")
    for source in sources:
        registry = _address(source.registry)
        if registry.host not in _THIS_MACHINE:
            continue
        for name, where, listen in ((f"server.addr ({auth})", top, auth), (f"notifier.addr ({notifier})", section, notifier)):
            if _meet(listen, registry):
                problem = f"{name} is where the registry of source {source.name} is said to be ({source.registry})"
                key = "server" if where is top else "addr"
                where.warn(key, problem, "give each a port of its own")


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return Address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def _meet(one: Address, other: Address) -> bool:
    if one.unix or other.unix or one.port != other.port:
        return False
    return _named(one.host) == _named(other.host) or bool({one.host, other.host} & _ANYWHERE)


def _named(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host
