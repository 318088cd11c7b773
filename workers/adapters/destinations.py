"""The configured targets as destinations: a table of kinds, and those that other packages add."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from wharfinger.runtime.configuration.targets.foreign import foreign_kind
from wharfinger.runtime.settings import (
    ArgoCDTarget,
    CommandTarget,
    DockerTarget,
    DroneTarget,
    FluxTarget,
    ForeignTarget,
    GitHubTarget,
    GitLabTarget,
    JenkinsTarget,
    KubernetesTarget,
    MessageTarget,
    Reach,
    Source,
    SwarmTarget,
    WebhookTarget,
    WoodpeckerTarget,
    WorkerSettings,
)
from workers.adapters.command import CommandRunner
from workers.adapters.conversing import Conversing
from workers.adapters.docker_engine import DockerEngine
from workers.adapters.guarded import reached
from workers.adapters.kubernetes import KubernetesRollout
from workers.adapters.messages import Messages
from workers.adapters.swarm import SwarmService
from workers.adapters.webhook import WebhookSender
from workers.decide.conversation import Talk
from workers.decide.order import Order, Retry, Sent
from workers.decide.targets.argocd import ArgoCD
from workers.decide.targets.drone import Drone
from workers.decide.targets.flux import Flux
from workers.decide.targets.github import GitHub
from workers.decide.targets.gitlab import GitLab
from workers.decide.targets.jenkins import Jenkins
from workers.decide.targets.woodpecker import Woodpecker
from workers.ports import Destination, Lease, Target

Sources = Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class Made:
    """A target with what deciding must know of it, as of a ``Destination``."""

    target: Target
    runs_one: bool = False
    knows_what_runs: bool = False


class ForeignMaker(Protocol):
    """What an entry point's object does for the workers; the configuration asks more of it.

    ``runs_one``, ``knows_what_runs``: as of a ``Destination``.
    """

    runs_one: bool
    knows_what_runs: bool

    def make(self, settings: Any) -> Target:
        """A target of its settings. May be called more than once, and must not wait for anything."""


def _webhook(settings: WebhookTarget, _sources: Sources) -> Made:
    return Made(WebhookSender(settings))


def _docker(settings: DockerTarget, sources: Sources) -> Made:
    return Made(DockerEngine(settings, sources), runs_one=True, knows_what_runs=True)


def _message(settings: MessageTarget, _sources: Sources) -> Made:
    return Made(Messages(settings))


def _command(settings: CommandTarget, _sources: Sources) -> Made:
    return Made(CommandRunner(settings))


def _swarm(settings: SwarmTarget, sources: Sources) -> Made:
    return Made(SwarmService(settings, sources), runs_one=True, knows_what_runs=True)


def _kubernetes(settings: KubernetesTarget, _sources: Sources) -> Made:
    return Made(KubernetesRollout(settings), runs_one=True, knows_what_runs=True)


def _foreign(settings: ForeignTarget, _sources: Sources) -> Made:
    try:
        found = foreign_kind(settings.kind)
    except (ImportError, AttributeError) as error:
        return _missing(f"the package of {settings.kind} cannot be imported: {type(error).__name__}")
    if found is None:
        return _missing(f"the package that adds {settings.kind} is not installed any more")
    maker: ForeignMaker = found  # type: ignore[assignment]  # whoever made it keeps the protocol
    target = maker.make(settings.settings)
    return Made(target, maker.runs_one, maker.knows_what_runs)


@dataclass(frozen=True, slots=True)
class _Missing:
    """The port ``Target``, where its package was there when the configuration was read and is not now."""

    why: str

    def resume(self, _order: Order, _lease: Lease) -> Sent:
        """Later: what it began, only the package knows."""
        return Retry(self.why)

    send = resume


def _missing(why: str) -> Made:
    return Made(_Missing(why), knows_what_runs=True)


def _spoken_to(talk: Callable[[Any], Talk]) -> Callable[[Any, Sources], Made]:
    """A kind that is reached by a URL and spoken to; the other side says itself what a repeated digest means there."""

    def made(settings: Any, _sources: Sources) -> Made:
        reach: Reach = settings.reach
        return Made(Conversing(talk(settings), lambda: reached(reach), urlsplit(reach.url).netloc))

    return made


KINDS: Final[Mapping[type, Callable[[Any, Sources], Made]]] = {
    WebhookTarget: _webhook,
    DockerTarget: _docker,
    GitHubTarget: _spoken_to(GitHub),
    GitLabTarget: _spoken_to(GitLab),
    JenkinsTarget: _spoken_to(Jenkins),
    WoodpeckerTarget: _spoken_to(Woodpecker),
    DroneTarget: _spoken_to(Drone),
    ArgoCDTarget: _spoken_to(ArgoCD),
    FluxTarget: _spoken_to(Flux),
    KubernetesTarget: _kubernetes,
    SwarmTarget: _swarm,
    CommandTarget: _command,
    MessageTarget: _message,
    ForeignTarget: _foreign,
}


class ConfiguredDestinations:
    """The port ``Destinations``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._sources = {source.name: source for source in settings.sources}
        self._targets = {target.name: target for target in settings.deploy.targets}

    def find(self, name: str) -> Destination | None:
        """One target; None when the configuration has it no more."""
        found = self._targets.get(name)
        if found is None:
            return None
        made = KINDS[type(found)](found, self._sources)
        return Destination(made.target, made.runs_one, made.knows_what_runs, self._host)

    def _host(self, source: str) -> str:
        found: Source | None = self._sources.get(source)
        return "" if found is None else found.pull_host
