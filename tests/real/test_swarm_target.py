"""A service of a real swarm gets what was pushed, or Swarm goes back by itself: followed to either end, whoever dies on the way."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.real.conftest import Engine, House, wait_until
from tests.real.engine_images import web_image
from tests.workers.leases import Holding
from wharfinger.cli.pusher import Image
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import Secret, Source, SwarmTarget, UpdateOrder
from workers.adapters.swarm import SwarmService
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone, Waiting

pytestmark = pytest.mark.real
QUICK = ["--update-monitor", "2s", "--restart-delay", "1s", "--restart-condition", "any", "--detach"]


@dataclass
class Harbour:
    """A swarm of one node, a registry it pulls from, and a service."""

    engine: Engine
    house: House
    lease: Holding = field(default_factory=Holding)

    def pushed(self, image: Image) -> str:
        """Push an image; its digest."""
        self.house.pusher("admin").push(image, "team/swarm", "v1")
        return image.digest

    def create(self, name: str, digest: str, *options: str) -> None:
        """A service that runs."""
        self.engine.docker("login", "-u", "admin", "-p", self.house.password("admin"), self.house.registry)
        image = f"{self.house.registry}/team/swarm@{digest}"
        self.engine.docker("service", "create", "--name", name, "--with-registry-auth", *QUICK, *options, image)
        self.wait_for(name, digest)

    def wait_for(self, name: str, digest: str) -> None:
        """Until a task of an image runs."""
        wait_until(f"{name} running {digest}", lambda: any(digest in one for one in self.running(name)), 60)

    def running(self, name: str) -> list[str]:
        """The images of its tasks that run."""
        shown = self.engine.docker(
            "service", "ps", name, "--no-trunc", "--filter", "desired-state=running", "--format", "{{.Image}} {{.CurrentState}}"
        )
        return [line for line in shown.stdout.splitlines() if "Running" in line]

    def service(self, name: str) -> dict[str, Any]:
        """As the Engine describes it."""
        found: dict[str, Any] = json.loads(self.engine.docker("service", "inspect", name).stdout)[0]
        return found

    def target(self, name: str, *, host: str = "") -> SwarmService:
        """As a worker has it that was just started."""
        source = Source(
            "main", (), self.house.url, self.house.registry, "wharfinger", Secret(self.house.password("wharfinger").encode())
        )
        settings = SwarmTarget(
            name="t",
            host=host or f"unix://{self.engine.socket}",
            service=name,
            order=UpdateOrder.START_FIRST,
            timeout_s=120,
            line=1,
        )
        return SwarmService(settings, {"main": source})

    def claim(self, name: str, digest: str, delivery: str = "dlv_1") -> Sent:
        """One claim."""
        order = Order(
            delivery_id=delivery, rule="r", target="t", source="main", registry_host=self.house.registry, repository="team/swarm", tag="v1",
            digest=digest, media_type="", account="hussein", jti="", event_id="", pushed_at_ms=0, attempt=1,
        )  # fmt: skip
        return self.target(name).resume(order, self.lease) or self.target(name).send(order, self.lease)

    def to_the_end(self, name: str, digest: str, delivery: str = "dlv_1") -> Sent:
        """Claim after claim."""
        until = time.monotonic() + 90
        sent: Sent = Waiting("", 0)
        while time.monotonic() < until:
            sent = self.claim(name, digest, delivery)
            if not isinstance(sent, Waiting):
                break
            time.sleep(0.2)
        return sent


@pytest.fixture(scope="module")
def quay(house: House, engine: Engine) -> Iterator[Harbour]:
    """The Engine as a swarm, for as long as these tests run."""
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    try:
        yield Harbour(engine, house)
    finally:
        engine.docker("swarm", "leave", "--force", check=False)


@pytest.fixture
def harbour(quay: Harbour) -> Iterator[Harbour]:
    """Without the services of other tests."""
    yield Harbour(quay.engine, quay.house)
    for name in quay.engine.docker("service", "ls", "-q").stdout.split():
        quay.engine.docker("service", "rm", name)
    # Of the Engine's other containers some are other tests'.
    tasks = ("ps", "-q", "--filter", "label=com.docker.swarm.service.id")
    wait_until("the tasks to be gone", lambda: not quay.engine.docker(*tasks).stdout.strip(), 60)


@pytest.fixture(scope="module")
def old(quay: Harbour) -> str:
    """What runs before."""
    return quay.pushed(web_image("old"))


@pytest.fixture(scope="module")
def new(quay: Harbour) -> str:
    """What is pushed."""
    return quay.pushed(web_image("new"))


@pytest.fixture(scope="module")
def broken(quay: Harbour) -> str:
    """One that ends at once."""
    return quay.pushed(web_image("broken", Cmd=["busybox", "false"]))


def test_an_update(harbour: Harbour, old: str, new: str) -> None:
    """The new task runs before the old one ends; all that was set otherwise is as it was; the same again is unchanged."""
    harbour.create("web", old, "--env", "KEPT=1", "--label", "team=shop")
    assert harbour.to_the_end("web", new) == Delivered("updated: every new task runs")
    spec = harbour.service("web")["Spec"]
    container = spec["TaskTemplate"]["ContainerSpec"]
    assert container["Image"] == f"{harbour.house.registry}/team/swarm:v1@{new}"
    assert container["Env"] == ["KEPT=1"]
    assert spec["Labels"] == {"team": "shop", "wharfinger.delivery": "dlv_1"}
    assert (spec["UpdateConfig"]["Order"], spec["UpdateConfig"]["FailureAction"]) == ("start-first", "rollback")
    harbour.wait_for("web", new)
    harbour.lease = Holding()
    assert isinstance(harbour.claim("web", new, "dlv_2"), Unchanged)


def test_an_image_that_ends_at_once(harbour: Harbour, old: str, new: str, broken: str) -> None:
    """Swarm goes back by itself, and that is told; also when an update before it had gone well, or had gone back."""
    harbour.create("web", old)
    for number, (digest, ends) in enumerate([(broken, Undone), (new, Delivered), (broken, Undone), (broken, Undone)]):
        harbour.lease = Holding()
        sent = harbour.to_the_end("web", digest, f"dlv_{number}")
        assert isinstance(sent, ends), (number, sent)
    harbour.wait_for("web", new)
    assert new in harbour.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]


class Killed(Holding):
    """The lease of a worker that dies before one of its steps."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def renew(self) -> None:
        """One step more."""
        if self._left == 0:
            raise LeaseLost("killed")
        self._left -= 1


@pytest.mark.parametrize("steps", range(5))
def test_a_worker_that_is_killed_at_any_step(harbour: Harbour, old: str, new: str, steps: int) -> None:
    """What it had kept is all that the next one knows: one update, and its end is told."""
    harbour.create("web", old)
    before = harbour.service("web")["Version"]["Index"]
    harbour.lease = Killed(steps)
    with pytest.raises(LeaseLost):
        harbour.to_the_end("web", new)
    harbour.lease = Holding(kept=harbour.lease.kept)
    if harbour.lease.noted and harbour.service("web")["Version"]["Index"] == before:
        # Kept, and not asked for: a minute later it is known that it had not begun.
        harbour.lease.note({**harbour.lease.noted, "asked": "0"})
        assert isinstance(harbour.claim("web", new), Retry)
    assert isinstance(harbour.to_the_end("web", new), Delivered)
    harbour.wait_for("web", new)


def test_what_cannot_be_updated(harbour: Harbour, old: str, new: str) -> None:
    """A name that is none, also the beginning of an id; and nothing is touched."""
    harbour.create("web", old)
    ident = harbour.service("web")["ID"]
    for name in ("none", ident[:8]):
        assert harbour.claim(name, new) == Refused(f"there is no service {name}; create it once, with all that it needs")
    assert harbour.lease.kept == []
    assert old in harbour.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]


def test_somebody_updates_it_meanwhile(harbour: Harbour, old: str, new: str) -> None:
    """What came after ours is left alone, and ours says so."""
    harbour.create("web", old)
    assert isinstance(harbour.claim("web", new), Waiting)
    wait_until("our update over", lambda: harbour.service("web").get("UpdateStatus", {}).get("State") == "completed", 60)
    harbour.engine.docker(
        "service",
        "update",
        "--detach",
        "--image",
        f"{harbour.house.registry}/team/swarm@{old}",
        "--label-rm",
        "wharfinger.delivery",
        "web",
    )
    sent = harbour.claim("web", new)
    assert isinstance(sent, Failed)
    assert "somebody else" in sent.reason


def test_an_engine_that_is_away(harbour: Harbour, new: str) -> None:
    """Later; nothing is kept."""
    sent = harbour.target("web", host="unix:///nowhere.sock").send(
        Order(
            delivery_id="d", rule="r", target="t", source="main", registry_host="h", repository="r", tag="v1", digest=new, media_type="",
            account="", jti="", event_id="", pushed_at_ms=0, attempt=1,
        ),
        harbour.lease,
    )  # fmt: skip
    assert isinstance(sent, Retry)
    assert harbour.lease.kept == []
