"""Docker targets in the configuration: what cannot be meant is a fault, before anything starts."""

from pathlib import Path

import pytest

from wharfinger.cli import init
from wharfinger.cli.templates import Ports
from wharfinger.runtime.configuration import load
from wharfinger.runtime.settings import DockerTarget


def faults(folder: Path, *targets: str) -> list[str]:
    """The faults of a whole file with these targets."""
    init.make(folder, (), Ports(1, 2, 3))
    file = folder / "wharfinger.yml"
    lines = "\n".join(f"    {target}" for target in targets)
    file.write_text(f"{file.read_text()}\ndeploy:\n  rules: []\n  targets:\n{lines}\n")
    return [f"{fault.key} {fault.problem}" for fault in load(file, data=folder, environ={}).faults()]


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("a: {type: docker, container: web}", ""),
        ("a: {type: docker, container: web, host: 'tcp://127.0.0.1:2375', health_timeout: 10m}", ""),
        ("a: {type: docker}", "container"),
        ("a: {type: docker, container: /web}", "is no container's name"),
        ("a: {type: docker, container: web, host: 'unix://var/run/docker.sock'}", "is no unix:///PATH"),
        ("a: {type: docker, container: web, host: 'tcp://127.0.0.1'}", "is no unix:///PATH"),
        ("a: {type: docker, container: web, host: 'tcp://127.0.0.1:99999'}", "is no unix:///PATH"),
        ("a: {type: docker, container: web, host: 'ssh://host'}", "is no unix:///PATH"),
        ("a: {type: docker, container: web, health_timeout: 11m}", "is above 600 s"),
    ],
)
def test_one_target(tmp_path: Path, target: str, fault: str) -> None:
    """Each wrong value is named; a right one is not."""
    found = faults(tmp_path, target)
    assert (fault in found[0] and len(found) == 1) if fault else not found


@pytest.mark.parametrize(
    ("host", "warnings"),
    [
        ("tcp://127.0.0.1:2375", 0),
        ("tcp://[::1]:2375", 0),
        ("tcp://localhost:2375", 0),
        ("tcp://10.0.0.7:2375", 1),
        ("tcp://dock:2375", 1),
    ],
)
def test_an_engine_far_away(tmp_path: Path, host: str, warnings: int) -> None:
    """Without TLS it can be lived with, but not without having been told."""
    assert faults(tmp_path, f"a: {{type: docker, container: web, host: '{host}'}}") == []
    found = load(tmp_path / "wharfinger.yml", data=tmp_path, environ={}).found
    assert [fault.warning for fault in found if "without TLS" in fault.problem] == [True] * warnings


def test_two_targets_of_one_container(tmp_path: Path) -> None:
    """Each target's deliveries wait for one another, but two targets would replace the one container at once."""
    same = ["a: {type: docker, container: web}", "b: {type: docker, container: web}"]
    assert faults(tmp_path, *same) == ["deploy.targets.b.container is what target a replaces already"]


def test_two_containers_of_one_engine(tmp_path: Path) -> None:
    """They are two targets."""
    assert faults(tmp_path, "a: {type: docker, container: web}", "b: {type: docker, container: web-new}") == []
    loaded = load(tmp_path / "wharfinger.yml", data=tmp_path, environ={}).settings
    assert loaded is not None
    assert [target.container for target in loaded.workers.deploy.targets if isinstance(target, DockerTarget)] == [
        "web",
        "web-new",
    ]
