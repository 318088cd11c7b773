"""Replaces one container of a Docker Engine by the pushed digest, in an order that can be undone at every step.

Pull; create the new one beside; rename the old away and the new in; stop the old; start the new; wait until it serves; remove
the old. Anything that goes wrong brings the old one back, with its id, and what it was.

A crash at any step leaves one of three states, which ``decide.recovery`` reads from names and labels, and ``resume`` ends:
not put in yet, or taken out again (the old one goes back, if it is not there, and runs; the new one goes); put in but never
started (the old one may be on its way to a stop, so the way is forward); put in and started (it is found to serve, or undone).
The lease is renewed before every change, so a worker that was overtaken makes none.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from wharfinger.runtime.settings import DockerTarget, Source
from workers.adapters.engine_api import EngineApi, login_of
from workers.decide.health import Health, failing, health
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone
from workers.decide.recovery import Interrupted, Unclear, interrupted, names_of, was_put_in_by, was_started
from workers.decide.replacement import CannotReplace, NewImage, Replacement, plan_replacement, runs
from workers.errors import BadInput, Unavailable
from workers.ports import Lease

POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Ready:
    """A container that can be replaced, and how."""

    old: Mapping[str, Any]
    plan: Replacement


class DockerEngine:
    """The port ``Target``, as one container of an Engine."""

    def __init__(self, settings: DockerTarget, sources: Mapping[str, Source]) -> None:
        self._settings = settings
        self._sources = sources

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """End every replacement of the container that was cut off; what became of this order, if it was one of them."""
        engine = EngineApi(self._settings.host, lease.renew)
        try:
            listed = engine.containers()
            found = interrupted(self._settings.container, listed)
            if not found and was_put_in_by(order.delivery_id, self._settings.container, listed):
                return Delivered("replaced before a crash; the new container served")
            ended = {state.delivery: self._end(engine, state) for state in found if isinstance(state, Interrupted)}
        except Unavailable as fault:
            return Retry(str(fault))
        except BadInput as fault:
            return Failed(str(fault))
        for state in found:
            if isinstance(state, Unclear):
                return Refused(state.reason)
        return ended.get(order.delivery_id)

    def send(self, order: Order, lease: Lease) -> Sent:
        """Replace the container, or say why not."""
        engine = EngineApi(self._settings.host, lease.renew)
        try:
            ready = self._prepare(engine, order)
            if not isinstance(ready, _Ready):
                return ready
            engine.pull(f"{order.registry_host}/{order.repository}", order.digest, self._credentials(order))
            # Looked at anew: pulling may have taken an hour, and people work on the Engine too.
            ready = self._prepare(engine, order)
            return self._put_in(engine, order, ready) if isinstance(ready, _Ready) else ready
        except Unavailable as fault:
            return Retry(str(fault))
        except BadInput as fault:
            return Failed(str(fault))

    def _prepare(self, engine: EngineApi, order: Order) -> _Ready | Refused | Unchanged:
        name = self._settings.container
        old = engine.named(name)
        if old is None:
            return Refused(f"the Engine has no container {name}; start it once by hand, with its ports and volumes")
        image = engine.image(old["Image"])
        if runs(old, image, order.image()):
            return Unchanged("the container runs this digest")
        others = [engine.container(one["Id"]) for one in engine.containers() if one["Id"] != old["Id"]]
        new = NewImage(reference=order.image(), digest=order.digest, delivery=order.delivery_id)
        plan = plan_replacement(old, image, [other for other in others if other is not None], new)
        return Refused(plan.reason) if isinstance(plan, CannotReplace) else _Ready(old, plan)

    def _put_in(self, engine: EngineApi, order: Order, ready: _Ready) -> Sent:
        names = names_of(self._settings.container, order.delivery_id)
        # Created before the old one is touched: what the Engine refuses costs no downtime. From here on the new one's name and
        # labels are the record of what was begun; a crash just before leaves nothing.
        made = engine.create(names.new, dict(ready.plan.body))
        begun = Interrupted(
            delivery=order.delivery_id,
            names=names,
            old=ready.old["Id"],
            new=made,
            put_in=True,
            old_ran=bool(ready.old["State"].get("Running")),
        )
        try:
            for network, settings in ready.plan.networks:
                engine.connect(network, made, settings)
            # Renamed before it is stopped: a name that moved says that a stop may be under way.
            _rename(engine, begun.old, names.old)
            engine.rename(made, names.wanted)
        except BadInput as fault:
            self._bring_back(engine, begun)
            return Failed(str(fault))
        return self._switch(engine, begun)

    def _switch(self, engine: EngineApi, begun: Interrupted) -> Sent:
        try:
            _stop(engine, begun.old)
            engine.start(begun.new)
        except BadInput as fault:
            return self._undo(engine, begun, f"the new container could not be put in: {fault}")
        return self._gate(engine, begun)

    def _gate(self, engine: EngineApi, begun: Interrupted) -> Sent:
        began, allowed_s = time.monotonic(), self._settings.health_timeout_s
        while True:
            container = engine.container(begun.new)
            running_s = time.monotonic() - began
            found = Health.FAILED if container is None else health(container, running_s=running_s)
            if found is Health.SERVES:
                with _again_later("the new container serves, but the old one could not be removed"):
                    # Its own policy may have started it again, when the Engine itself was restarted.
                    _stop(engine, begun.old)
                    engine.remove(begun.old)
                return Delivered("replaced; the new container serves")
            if found is Health.FAILED or running_s > allowed_s:
                late = f"did not become healthy within {allowed_s:g} s (health_timeout)"
                return self._undo(
                    engine, begun, f"the new container {late if found is Health.STARTING else failing(container)}"
                )
            time.sleep(POLL_S)

    def _end(self, engine: EngineApi, state: Interrupted) -> Sent | None:
        new = engine.container(state.new)
        started = new is not None and was_started(new)
        if state.put_in:
            return self._gate(engine, state) if started else self._switch(engine, state)
        if started:
            return self._undo(engine, state, "the new container failed, and taking it out was cut off")
        self._bring_back(engine, state)
        return None

    def _undo(self, engine: EngineApi, begun: Interrupted, why: str) -> Undone | Failed:
        if not self._bring_back(engine, begun):
            return Failed(f"{why}; the old one is gone")
        return Undone(f"{why}; the old one {'serves again' if begun.old_ran else 'is back, stopped as it was'}")

    def _bring_back(self, engine: EngineApi, begun: Interrupted) -> bool:
        # Whatever was done so far. The new one goes last: its label says what the old one was, until that is so again.
        wanted = begun.names.wanted
        with _again_later("the old container could not be brought back"):
            new, old = engine.container(begun.new), engine.container(begun.old)
            if old is None and new is not None and new["Name"] == f"/{wanted}":
                # Somebody removed it. What the operator set stands nowhere now but in the new one, which stays as it is.
                return False
            if new is not None:
                _stop(engine, begun.new)
                if new["Name"] == f"/{wanted}":
                    engine.rename(begun.new, begun.names.new)
            if old is not None:
                if old["Name"] != f"/{wanted}":
                    _rename(engine, begun.old, wanted)
                if begun.old_ran:
                    engine.start(begun.old)
            if new is not None:
                engine.remove(begun.new)
        return old is not None

    def _credentials(self, order: Order) -> dict[str, str] | None:
        return login_of(self._sources.get(order.source), order.registry_host)


def _stop(engine: EngineApi, ident: str) -> None:
    container = engine.container(ident)
    if container is not None:
        engine.stop(ident, container["Config"].get("StopTimeout"))


def _rename(engine: EngineApi, ident: str, name: str) -> None:
    try:
        engine.rename(ident, name)
    except BadInput:
        container = engine.container(ident)
        if container is None or not container.get("RestartCount"):
            raise
        # Between two runs of one that dies again and again the Engine finds no network to rename it in. It serves nobody then.
        _stop(engine, ident)
        engine.rename(ident, name)


@contextmanager
def _again_later(what: str) -> Iterator[None]:
    # With both containers in hand a refusal is never the end: what is half done is tried again, until it is whole.
    try:
        yield
    except BadInput as fault:
        raise Unavailable(f"{what}: {fault}") from fault
