"""Addresses that cannot all be had, as pairs of them; and where that is told."""

from pathlib import Path

import pytest
import yaml

from wharfinger.runtime.configuration.clashes import find_clashes
from wharfinger.runtime.settings import Address, Source
from wharfinger.runtime.yaml_nodes import Faults, Section

FILE = "server:\n  addr: x\nnotifier:\n  addr: y\n"
LOCAL = Address("127.0.0.1", 1)


def found(auth: Address, notifier: Address, *registries: str) -> list[tuple[str, int, bool, str]]:
    """Key, line, whether it is a warning, and the problem of each clash."""
    node, faults = yaml.compose(FILE, Loader=yaml.SafeLoader), Faults()
    assert node is not None
    sources = tuple(Source(f"s{at}", (), url, "", "", None) for at, url in enumerate(registries))
    find_clashes(Section(node, "", faults, {}, Path()), auth, notifier, sources)
    return [(one.key, one.line, one.warning, one.problem) for one in faults.found]


@pytest.mark.parametrize(
    ("meet", "auth", "notifier"),
    [
        (True, LOCAL, LOCAL),
        (True, Address("", 1), LOCAL),
        (True, LOCAL, Address("0.0.0.0", 1)),
        (True, LOCAL, Address("localhost", 1)),
        (False, LOCAL, Address("127.0.0.1", 2)),
        (False, LOCAL, Address("127.0.0.2", 1)),
        (False, Address(unix="/run/auth"), Address("", 1)),
    ],
)
def test_our_own_two(auth: Address, notifier: Address, *, meet: bool) -> None:
    """On one address they are a fault, at the second of them."""
    told = [("notifier.addr", 4, False, f"{notifier} is where server.addr ({auth}) listens")] if meet else []
    assert found(auth, notifier, "http://registry:5000") == told


@pytest.mark.parametrize(
    ("keys", "registry"),
    [
        (["server"], "http://127.0.0.1:5001"),
        (["notifier.addr"], "http://localhost:5002"),
        ([], "http://127.0.0.1:5000"),
        ([], "http://registry:5001"),
        (["server"], "http://127.0.0.1:5001/hub"),
    ],
)
def test_a_registry_on_this_machine(keys: list[str], registry: str) -> None:
    """A warning: a container may have the port elsewhere."""
    clashes = found(Address("", 5001), Address("127.0.0.1", 5002), registry)
    assert [(key, warning) for key, _, warning, _ in clashes] == [(key, True) for key in keys]
    assert all(registry in problem for _, _, _, problem in clashes)


def test_default_ports() -> None:
    """A URL's own where it names none."""
    assert [key for key, *_ in found(Address("", 80), Address("", 443), "http://127.0.0.1", "https://127.0.0.1")] == [
        "server",
        "notifier.addr",
    ]


def test_without_sources() -> None:
    """No notifier is started, so there is nothing to meet."""
    assert found(LOCAL, LOCAL) == []
