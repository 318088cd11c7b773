"""The port Destinations: its suite on the fake and on configured targets."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workers.fakes import KnownDestinations, RecordingTarget
from wharfinger.runtime.settings import (
    DeploySettings,
    DockerTarget,
    LogSettings,
    Reach,
    Secret,
    Source,
    WebhookTarget,
    WorkerSettings,
)
from workers.adapters.destinations import ConfiguredDestinations
from workers.adapters.docker_engine import DockerEngine
from workers.adapters.webhook import WebhookSender
from workers.ports import Destination, Destinations

HOOK = WebhookTarget("hook", Reach(url="https://ci.example/"), (Secret(b"whsec_aaaa"),), 1)
WEB = DockerTarget("web", "unix:///var/run/docker.sock", "web", 60.0, 2)
SOURCE = Source("main", (), "http://registry:5000", "registry.main", "", None)


@dataclass
class Subject:
    """An implementation with a webhook ``hook`` and a container ``web``."""

    port: Destinations


@pytest.fixture(params=["fake", "configured"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        fake = KnownDestinations()
        fake.add("hook", RecordingTarget())
        fake.add("web", RecordingTarget(), runs_one=True, knows_what_runs=True)
        return Subject(fake)
    return Subject(configured())


def configured() -> ConfiguredDestinations:
    """The real one."""
    deploy = DeploySettings((), (HOOK, WEB))
    return ConfiguredDestinations(
        WorkerSettings("sqlite:///x", "", Path("spill"), (), (SOURCE,), deploy, LogSettings(key=None, key_file=Path("log.key")))
    )


def found(port: Destinations, name: str) -> Destination:
    """One that there is."""
    destination = port.find(name)
    assert destination is not None
    return destination


@pytest.mark.parametrize(("name", "one"), [("hook", False), ("web", True)])
def test_what_deciding_must_know(subject: Subject, name: str, one: bool) -> None:  # noqa: FBT001 - a column
    """A container runs one thing and says which; a webhook's receiver does neither."""
    destination = found(subject.port, name)
    assert (destination.runs_one, destination.knows_what_runs) == (one, one)


def test_a_target_that_is_not_there(subject: Subject) -> None:
    """None, for the configuration may have lost it."""
    assert subject.port.find("nobody") is None
    assert subject.port.find("") is None


def test_how_registries_are_called(subject: Subject) -> None:
    """By the name under which a target pulls from the source."""
    assert found(subject.port, "web").registry_host("main") == "registry.main"


def test_a_source_that_is_gone() -> None:
    """It has no name any more."""
    assert found(configured(), "hook").registry_host("other") == ""


def test_an_adapter_for_each_type() -> None:
    """As configured."""
    assert isinstance(found(configured(), "hook").target, WebhookSender)
    assert isinstance(found(configured(), "web").target, DockerEngine)
