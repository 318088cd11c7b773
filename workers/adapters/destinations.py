"""The configured targets as destinations: a table of kinds, and those that other packages add."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wharfinger.runtime.configuration.targets.foreign import foreign_kind
from wharfinger.runtime.settings import DockerTarget, ForeignTarget, Source, WebhookTarget, WorkerSettings
from workers.adapters.docker_engine import DockerEngine
from workers.adapters.webhook import WebhookSender
from workers.decide.order import Order, Retry, Sent
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


KINDS: Final[Mapping[type, Callable[[Any, Sources], Made]]] = {
    WebhookTarget: _webhook,
    DockerTarget: _docker,
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
