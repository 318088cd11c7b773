"""Replaces one container of a Docker Engine by the pushed digest, in an order that can be undone at every step.

Pull; create the new one beside; rename the old away and the new in; stop the old; start the new; wait until it serves; remove
the old. Anything that goes wrong brings the old one back. Where a crash stopped is read from names and labels: a container
``NAME-new-…`` was never put in and goes; with ``NAME-old-…`` beside ``NAME`` the new one is in, and is either found to serve or
undone; ``NAME-old-…`` alone goes back. The lease is renewed before every step, so a worker that was overtaken takes none.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wharfinger.runtime.settings import DockerTarget, Source
from workers.adapters.engine_api import EngineApi
from workers.decide.health import Health, health
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone
from workers.decide.replacement import (
    LABEL_DELIVERY,
    LABEL_DIGEST,
    CannotReplace,
    NewImage,
    Replacement,
    plan_replacement,
    runs,
)
from workers.errors import BadInput, Unavailable
from workers.ports import Lease

POLL_S: Final = 0.25
_SHORT: Final = 8


@dataclass(frozen=True, slots=True)
class _Names:
    wanted: str
    old: str
    new: str


class DockerEngine:
    """The port ``Target``, as one container of an Engine."""

    def __init__(self, settings: DockerTarget, sources: Mapping[str, Source]) -> None:
        self._settings = settings
        self._sources = sources
        self._api = EngineApi(settings.host)

    def send(self, order: Order, lease: Lease) -> Sent:
        """Replace the container, or say why not. The same order again finds its own traces and goes on from there."""
        name = self._settings.container
        names = _Names(name, f"{name}-old", f"{name}-new-{order.delivery_id[-_SHORT:]}")
        engine = _Leased(self._api, lease)
        try:
            resumed = self._recover(engine, names, order)
            return resumed or self._replace(engine, names, order)
        except Unavailable as fault:
            return Retry(str(fault))
        except BadInput as fault:
            self._undo(engine, names)
            return Failed(str(fault))

    def _recover(self, engine: "_Leased", names: _Names, order: Order) -> Sent | None:
        for container in engine.containers():
            for name in container.get("Names") or []:
                if name.startswith(f"/{names.wanted}-new-") and LABEL_DELIVERY in (container.get("Labels") or {}):
                    engine.remove(container["Id"])
        if engine.container(names.old) is None:
            return None
        current = engine.container(names.wanted)
        labels = (current or {}).get("Config", {}).get("Labels") or {}
        if current is not None and labels.get(LABEL_DIGEST) == order.digest and labels.get(LABEL_DELIVERY) == order.delivery_id:
            if not current["State"].get("Running"):
                old = engine.container(names.old)
                if old is not None and old["State"].get("Running"):
                    engine.stop(names.old, old["Config"].get("StopTimeout"))
                engine.start(names.wanted)
            return self._gate(engine, names)
        self._undo(engine, names)
        return None

    def _replace(self, engine: "_Leased", names: _Names, order: Order) -> Sent:
        old = engine.container(names.wanted)
        if old is None:
            return Refused(f"the Engine has no container {names.wanted}; start it once by hand, with its ports and volumes")
        old_image = engine.image(old["Image"]) or {}
        if runs(old, old_image, order.image()):
            mine = (old["Config"].get("Labels") or {}).get(LABEL_DELIVERY) == order.delivery_id
            return Delivered("replaced before a crash") if mine else Unchanged("the container runs this digest")
        new = NewImage(reference=order.image(), digest=order.digest, delivery=order.delivery_id)
        plan = plan_replacement(old, old_image, engine.containers(), new)
        if isinstance(plan, CannotReplace):
            return Refused(plan.reason)
        repository = f"{order.registry_host}/{order.repository}"
        engine.pull(repository, order.digest, self._credentials(order))
        self._put_in(engine, names, old, plan)
        return self._gate(engine, names)

    def _put_in(self, engine: "_Leased", names: _Names, old: dict[str, Any], plan: Replacement) -> None:
        # Created before the old one is touched: what the Engine refuses costs no downtime.
        made = engine.create(names.new, dict(plan.body))
        for network, settings in plan.networks:
            engine.connect(network, made, settings)
        engine.rename(old["Id"], names.old)
        engine.rename(made, names.wanted)
        engine.stop(old["Id"], old["Config"].get("StopTimeout"))
        engine.start(made)

    def _gate(self, engine: "_Leased", names: _Names) -> Sent:
        began = time.monotonic()
        while True:
            container = engine.container(names.wanted)
            running_s = time.monotonic() - began
            found = Health.FAILED if container is None else health(container, running_s=running_s)
            if found is Health.SERVES:
                engine.remove(names.old)
                return Delivered("replaced; the new container serves")
            if found is Health.FAILED or running_s > self._settings.health_timeout_s:
                why = "did not become healthy in time" if found is Health.STARTING else "ended, restarted or is unhealthy"
                self._undo(engine, names)
                return Undone(f"the new container {why}; the old one serves again")
            time.sleep(POLL_S)

    def _undo(self, engine: "_Leased", names: _Names) -> None:
        new = engine.container(names.new)
        if new is not None:
            engine.remove(new["Id"])
        old = engine.container(names.old)
        if old is None:
            return
        if engine.container(names.wanted) is not None:
            engine.remove(names.wanted)
        engine.rename(old["Id"], names.wanted)
        engine.start(old["Id"])

    def _credentials(self, order: Order) -> dict[str, str] | None:
        source = self._sources.get(order.source)
        if source is None or source.password is None:
            return None
        password = source.password.reveal().decode()
        return {"username": source.account, "password": password, "serveraddress": order.registry_host}


class _Leased:
    """The Engine's calls, each behind a renewed lease. Raises LeaseLost instead of taking a step."""

    def __init__(self, api: EngineApi, lease: Lease) -> None:
        self._api = api
        self._lease = lease

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self._api, name)

        def step(*arguments: Any) -> Any:
            self._lease.renew()
            return call(*arguments, self._lease) if name == "pull" else call(*arguments)

        return step
