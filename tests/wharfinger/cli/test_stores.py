"""Which store a command talks to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import house
from wharfinger.cli.stores import url_or_exit
from wharfinger.runtime.configuration import load
from wharfinger.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a new house, whose store nobody runs."""
    found = load(house(tmp_path) / "wharfinger.yml", data=tmp_path, environ={}).settings
    assert found is not None
    return found


def test_the_configured_one(settings: Settings) -> None:
    """Whatever else is there."""
    mine = replace(settings, embedded=False, auth=replace(settings.auth, redis_url="redis://store"))
    assert url_or_exit(mine) == "redis://store"


def test_the_embedded_one(settings: Settings) -> None:
    """That `up` runs, by its socket."""
    (settings.data / "store").mkdir()
    (settings.data / "store/valkey.sock").touch()
    assert url_or_exit(settings) == f"unix://{settings.data}/store/valkey.sock"


def test_nobody_runs_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, and what to do."""
    with pytest.raises(SystemExit) as left:
        url_or_exit(settings)
    assert left.value.code == 3
    said = capsys.readouterr().err
    assert f"run `wharfinger up -c {settings.file} --data {settings.data}`, which does this too, or set redis.url" in said
