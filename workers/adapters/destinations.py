"""The configured targets as destinations. One adapter a type of target."""

from typing import assert_never

from wharfinger.runtime.settings import DockerTarget, Source, WebhookTarget, WorkerSettings
from workers.adapters.docker_engine import DockerEngine
from workers.adapters.webhook import WebhookSender
from workers.ports import Destination


class ConfiguredDestinations:
    """The port ``Destinations``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._sources = {source.name: source for source in settings.sources}
        self._targets = {target.name: target for target in settings.deploy.targets}

    def find(self, name: str) -> Destination | None:
        """One target; None when the configuration has it no more."""
        match self._targets.get(name):
            case WebhookTarget() as webhook:
                return Destination(WebhookSender(webhook), runs_one=False, knows_what_runs=False, registry_host=self._host)
            case DockerTarget() as docker:
                engine = DockerEngine(docker, self._sources)
                return Destination(engine, runs_one=True, knows_what_runs=True, registry_host=self._host)
            case None:
                return None
            case _ as never:
                assert_never(never)

    def _host(self, source: str) -> str:
        found: Source | None = self._sources.get(source)
        return "" if found is None else found.pull_host
