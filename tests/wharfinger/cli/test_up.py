"""What ``up`` runs, before it runs it."""

from pathlib import Path

from tests.wharfinger.cli.houses import house, run
from wharfinger.cli.work import worker_specs
from wharfinger.runtime.configuration import load


def test_the_workers(tmp_path: Path) -> None:
    """One settles, one sweeps, some deliver; all of them end after the services."""
    before = load(house(tmp_path) / "wharfinger.yml", data=tmp_path, environ={}).settings
    assert before is not None
    found = worker_specs(before, url="unix:///s", processes=2)
    assert [one.name for one in found] == ["settle", "sweep", "deliver-1", "deliver-2"]
    assert {one.order for one in found} == {1}


def test_the_workers_numbers(tmp_path: Path) -> None:
    """One process more serves them, where the configuration says where."""
    file = house(tmp_path) / "wharfinger.yml"
    file.write_text(file.read_text() + '\nworkers: {addr: "127.0.0.1:5004"}\n')
    settings = load(file, data=tmp_path, environ={}).settings
    assert settings is not None
    assert [one.name for one in worker_specs(settings, url="unix:///s", processes=1)] == [
        "settle",
        "sweep",
        "deliver-1",
        "metrics",
    ]


def test_nothing_is_started_with_faults(tmp_path: Path) -> None:
    """No store, no child: exit code 2."""
    data = house(tmp_path)
    (data / "signing.crt").unlink()
    for command in (("up",), ("work",), ("serve", "auth"), ("serve", "notifier")):
        result = run(*command, "--data", data)
        assert result.exit_code == 2
        assert f"there is no file {data}/signing.crt" in result.stderr
    assert not (data / "store").exists()


def test_a_notifier_without_sources(tmp_path: Path) -> None:
    """A plain docker_auth file names no registry to hear: exit code 2, and what to add."""
    data = house(tmp_path)
    file = data / "wharfinger.yml"
    text = file.read_text()
    file.write_text(text[: text.index("\nnotifier:")])
    result = run("serve", "notifier", "--data", data)
    assert result.exit_code == 2
    assert "notifier.sources names no registry" in result.stderr


def test_a_service_without_its_store(tmp_path: Path) -> None:
    """Nobody runs the embedded one: exit code 3."""
    data = house(tmp_path)
    for command in (("work",), ("serve", "auth"), ("serve", "notifier")):
        result = run(*command, "--data", data)
        assert result.exit_code == 3
        assert "run `wharfinger up " in result.stderr


def test_nobody_else_can_have_the_lock(tmp_path: Path) -> None:
    """Another user who may open it may share it, and keep `up` from starting; also one that an older version made."""
    data = house(tmp_path)
    (data / "up.lock").touch(mode=0o644)
    config = data / "wharfinger.yml"
    config.write_text(
        config.read_text()
        .replace("server:\n", "server:\n  #", 1)
        .replace("server:\n", 'server:\n  addr: "192.0.2.1:5001"\n', 1)
    )
    result = run("up", "--data", data)
    assert (result.exit_code, "cannot listen on 192.0.2.1:5001" in result.stderr) == (2, True)
    assert (data / "up.lock").stat().st_mode & 0o077 == 0
