"""References as people copy them: which registries are cut off, and which are somebody else's."""

from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import house
from wharfinger.cli.references import without_host
from wharfinger.runtime.configuration import load
from wharfinger.runtime.settings import Source

SOURCES = (
    Source("main", (), "http://registry:5000/hub", "registry.example:8443", "", None),
    Source("own", (), "https://127.0.0.1:5550", "127.0.0.1:5550", "", None),
)


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("registry:5000/shop/web:1.4", "shop/web:1.4"),
        ("registry.example:8443/shop/web@sha256:ab", "shop/web@sha256:ab"),
        ("docker://localhost:5550/web:1", "web:1"),
        ("[::1]:5550/web:1", "web:1"),
        ("localhost:5551/web:1", "localhost:5551/web:1"),
        ("registry.example/shop/web:1", "registry.example/shop/web:1"),
        ("shop/web:1.4", "shop/web:1.4"),
        ("registry:5000", "registry:5000"),
        ("sha256:ab", "sha256:ab"),
        ("", ""),
    ],
)
def test_registries(ref: str, found: str) -> None:
    """By how we reach it and how others pull from it; this machine by any of its names, on the same port."""
    assert without_host(ref, SOURCES) == found


def test_without_sources(tmp_path: Path) -> None:
    """Nothing is known, nothing is cut off; what init makes knows its own."""
    assert without_host("127.0.0.1:5550/web:1", ()) == "127.0.0.1:5550/web:1"
    settings = load(house(tmp_path) / "wharfinger.yml", data=tmp_path, environ={}).settings
    assert settings is not None
    assert without_host("127.0.0.1:5550/web:1", settings.notifier.sources) == "web:1"
