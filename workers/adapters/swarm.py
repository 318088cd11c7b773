"""Speaks to a swarm's manager, over the Engine's own API, and with the account of the push's source. Decides nothing."""

from collections.abc import Mapping

from wharfinger.runtime.settings import Source, SwarmTarget
from workers.adapters.conversing import Conversing
from workers.adapters.engine_api import CHANGE_S, engine_endpoint, login_of
from workers.decide.order import Order, Sent
from workers.decide.targets.swarm import Swarm
from workers.ports import Lease


class SwarmService:
    """The port ``Target``, as a service of a swarm."""

    def __init__(self, settings: SwarmTarget, sources: Mapping[str, Source]) -> None:
        self._settings = settings
        self._sources = sources

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Go on with what was begun; None when nothing was."""
        return self._speaking(order).resume(order, lease)

    def send(self, order: Order, lease: Lease) -> Sent:
        """Begin an update."""
        return self._speaking(order).send(order, lease)

    def _speaking(self, order: Order) -> Conversing:
        login = login_of(self._sources.get(order.source), order.registry_host)
        settings = self._settings
        # Swarm asks the registry itself before it answers an update.
        return Conversing(Swarm(settings, login), lambda: engine_endpoint(settings.host), "docker", timeout_s=CHANGE_S)
