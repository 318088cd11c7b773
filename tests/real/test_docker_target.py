"""Containers of a real Engine are replaced by what was pushed, or stay what they were: whatever fails, and whoever dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import Engine, House, build_house, free_port, kill9, wait_until
from tests.real.engine_images import load, web_image
from tests.real.engine_proxy import Hold, engine_proxy
from wharfinger.cli.pusher import Image
from wharfinger.ledger.outbox import LEASE_MS
from wharfinger.ledger.queries import TracedDelivery
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

pytestmark = pytest.mark.real

CHECKED = ["--health-cmd", "wget -qO- http://127.0.0.1/", "--health-interval", "1s"]


@dataclass(frozen=True)
class Cut:
    """Where a worker is killed while it replaces the container ``name``, and how the delivery ends."""

    name: str
    line: str
    answered: bool = True
    nth: int = 1
    ends: str = "delivered"


CUTS = [
    Cut("cut-pull", "POST /images/create", answered=False),
    Cut("cut-create", "POST /containers/create"),
    Cut("cut-aside", r"rename\?name=cut-aside-old-"),
    Cut("cut-in", r"rename\?name=cut-in "),
    Cut("cut-stopped", r"/stop\?"),
    Cut("cut-started", "/start "),
    Cut("cut-removed", "DELETE "),
    # The way back from an image that ends at once.
    Cut("cut-out", r"rename\?name=cut-out-new-", ends="undone"),
    Cut("cut-again", "/start ", nth=2, ends="undone"),
]
MORE_CUTS = [
    Cut("cut-pulled", "POST /images/create"),
    Cut("cut-stop", r"/stop\?", answered=False),
    Cut("cut-start", "/start ", answered=False),
    Cut("cut-remove", "DELETE ", answered=False),
    Cut("cut-back", r"rename\?name=cut-back ", nth=2, ends="undone"),
    Cut("cut-undone", "DELETE ", ends="undone"),
]
STOPS = [Cut("asleep", r"rename\?name=asleep "), Cut("late", r"/stop\?", answered=False)]
"""Where a worker is stopped by SIGSTOP: with the Engine's answer on its way, and with its request on its way."""
WHOLE = ["whole", "broken", "ill", "slow"]


@dataclass
class Yard:
    """A house whose targets are containers of one Engine, each with a proxy before it where a test holds something."""

    house: House
    engine: Engine
    holds: dict[str, Hold]
    folder: Path
    old: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, *options: str | Path) -> str:
        """Start the old container of a target; its id."""
        ident = self.engine.docker("run", "-d", "--name", name, *options, "local/old:v1").stdout.strip()
        self.old[name] = ident
        return ident

    def push(self, name: str, image: Image) -> str:
        """Push to the repository of a target; the digest."""
        self.house.pusher().push(image, f"team/{name}", "v1")
        return image.digest

    def deliveries(self, name: str) -> list[TracedDelivery]:
        """The deliveries of a target."""
        return self.house.trace(f"team/{name}:v1").deliveries

    def ended(self, name: str, number: int = 1, seconds: float = 90) -> TracedDelivery:
        """The last of so many deliveries, once none of them is open."""

        def over() -> list[TracedDelivery]:
            found = self.deliveries(name)
            open_ones = [one for one in found if one.state in {"waiting", "sending"}]
            return [] if open_ones or len(found) != number else found

        return wait_until(f"the end of {name}", over, seconds)[-1]  # type: ignore[no-any-return]  # a delivery

    def alone(self, name: str) -> dict[str, Any]:
        """The container that runs under a name, and that nothing else of the replacement is left."""
        assert self.engine.names(f"{name}-old-") + self.engine.names(f"{name}-new-") == []
        found = self.engine.inspect(name)
        assert found["State"]["Running"]
        return found


@pytest.fixture(scope="module")
def yard(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Everything, for one module."""
    folder = tmp_path_factory.mktemp("y")
    holds = {cut.name: Hold(cut.line, cut.answered, cut.nth) for cut in (*CUTS, *MORE_CUTS, *STOPS)}
    rules = targets = ""
    for name in (*WHOLE, *holds):
        rules += f'    - {{name: {name}, match: {{repository: "team/{name}"}}, targets: [{name}]}}\n'
        sock = folder / f"{name}.sock" if name in holds else engine.socket
        wait = "5s" if name == "ill" else "30s"
        targets += f'    {name}: {{type: docker, host: "unix://{sock}", container: {name}, health_timeout: {wait}}}\n'
    with ExitStack() as stack:
        for name, hold in holds.items():
            stack.enter_context(engine_proxy(folder / f"{name}.sock", engine.socket, hold))
        house = build_house(folder / "house", deploy=rules, targets=targets)
        load(engine, web_image("one"), "local/old:v1", folder)
        yield Yard(house, engine, holds, folder)
        assert house.program.stop() == 0
        house.registry_program.stop()


def page(port: int) -> str:
    """What the web server on a port shows; empty when there is none."""
    try:
        return request(endpoint_of(f"http://127.0.0.1:{port}"), "GET", "/").body.decode()
    except Unavailable:
        return ""


def set_by_hand(container: dict[str, Any]) -> dict[str, Any]:
    """What an operator chose of a container: all that must be the same of the one that replaces it."""
    config = container["Config"]
    return {
        "env": [one for one in config["Env"] if one.startswith("MODE=")],
        "label": config["Labels"].get("team"),
        "check": config["Healthcheck"],
        "restart": container["HostConfig"]["RestartPolicy"],
        "ports": container["HostConfig"]["PortBindings"],
        "memory": container["HostConfig"]["Memory"],
        "volumes": {mount["Destination"]: mount["Name"] for mount in container["Mounts"]},
        "networks": {
            name: [alias for alias in joined["Aliases"] or [] if alias != container["Id"][:12]]
            for name, joined in container["NetworkSettings"]["Networks"].items()
        },
    }


def test_a_container_is_replaced_whole(yard: Yard, tmp_path: Path) -> None:
    """Pushed by the docker client: what was set by hand and both volumes stay, the new image's own defaults hold; once."""
    engine, port, login = yard.engine, free_port(), tmp_path / "login"
    for network in ("front", "back"):
        engine.docker("network", "create", network)
    old = yard.run(
        "whole", "--network", "front", "--network-alias", "shop", "-p", f"127.0.0.1:{port}:80", "-v", "whole-data:/data", "-v", "/anonymous",
        "--mount", "type=volume,target=/mounted", "-e", "MODE=prod", "--label", "team=shop", "--restart", "unless-stopped", "--memory", "64m", *CHECKED,
    )  # fmt: skip
    engine.docker("network", "connect", "back", "whole")
    for volume in ("data", "anonymous", "mounted"):
        engine.docker("exec", "whole", "sh", "-c", f"echo kept > /{volume}/file")
    before = engine.inspect("whole")

    name = f"{yard.house.registry}/team/whole:v1"
    load(engine, web_image("two", Env=["PATH=/bin", "VERSION=two", "FRESH=1"], Labels={"made": "of two"}), name, tmp_path)
    engine.docker("login", "-u", "hussein", "-p", yard.house.password("hussein"), yard.house.registry, config=login)
    engine.docker("push", name, config=login)
    delivery = yard.ended("whole")
    assert (delivery.state, [one.outcome for one in delivery.attempts]) == ("delivered", ["delivered"])

    new = yard.alone("whole")
    assert new["Id"] != old
    assert set_by_hand(new) == set_by_hand(before)
    assert sorted(new["Config"]["Env"]) == ["FRESH=1", "MODE=prod", "PATH=/bin", "VERSION=two"]
    assert new["Config"]["Labels"]["made"] == "of two"
    assert wait_until("the page", lambda: page(port)) == "two"
    for volume in ("data", "anonymous", "mounted"):
        assert engine.docker("exec", "whole", "busybox", "cat", f"/{volume}/file").stdout == "kept\n"
    for network, host in (("front", "shop"), ("back", "whole")):
        look = ["run", "--rm", "--network", network, "local/old:v1", "busybox", "wget", "-qO-", f"http://{host}/"]
        assert engine.docker(*look).stdout == "two"

    chain = subprocess.run(
        [sys.executable, "-m", "wharfinger.cli.main", "trace", "team/whole:v1", "--json", "--data", yard.house.folder],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    traced = json.loads(chain.stdout)
    (push,) = [event for event in traced["events"] if event["action"] == "push"]
    assert push["attribution"] | {"verdict": "exact", "account": "hussein"} == push["attribution"]
    assert push["attribution"]["jti"] in [one["jti"] for one in traced["issuances"]]
    assert [(one["id"], one["state"]) for one in traced["deliveries"]] == [(delivery.id, "delivered")]
    assert new["Config"]["Image"] == f"{yard.house.registry}/team/whole@{push['digest']}"

    # Another tag of the same bytes: of the same one a newer client pushes nothing a second time.
    again = name.removesuffix("v1") + "again"
    engine.docker("tag", name, again)
    engine.docker("push", again, config=login)
    yard.house.traced("team/whole:again", lambda found: [one.state for one in found.deliveries] == ["unchanged"])
    assert yard.alone("whole")["Id"] == new["Id"]


@pytest.mark.parametrize(
    ("name", "defaults", "reason"),
    [
        ("broken", {"Cmd": ["busybox", "false"]}, "ended with exit code 1"),
        ("ill", {"Cmd": ["busybox", "sleep", "1000"]}, "did not become healthy within 5 s (health_timeout)"),
    ],
)
def test_an_image_that_does_not_serve_is_undone(yard: Yard, name: str, defaults: dict[str, Any], reason: str) -> None:
    """It ends at once, or never becomes healthy: the very same old container serves again. It is not tried again; the next is."""
    port = free_port()
    options = [*CHECKED, "--health-start-period", "60s", "-p", f"127.0.0.1:{port}:80"]
    old = yard.run(name, *options)
    bad = web_image("bad", **defaults)
    yard.push(name, bad)
    delivery = yard.ended(name)
    assert delivery.state == "undone"
    assert reason in delivery.reason
    assert delivery.reason.endswith("the old one serves again")
    assert yard.alone(name)["Id"] == old
    assert wait_until("the page", lambda: page(port)) == "one"
    yard.push(name, bad)
    again = yard.ended(name, 2)
    assert (again.state, again.attempts[-1].outcome) == ("refused", "refused")
    assert again.reason.startswith(f"the digest is marked as bad at {name}: it was undone there: ")
    said = ["deploy", "force", delivery.id, "--why", "once more", "--data", yard.house.folder]
    subprocess.run([sys.executable, "-m", "wharfinger.cli.main", *said], check=True, capture_output=True, timeout=30)
    wait_until("the second try", lambda: [one.outcome for one in yard.deliveries(name)[0].attempts] == ["undone", "undone"])
    assert yard.alone(name)["Id"] == old
    for number, state in ((3, "delivered"), (4, "unchanged")):
        yard.push(name, web_image("mended"))
        assert yard.ended(name, number).state == state
        assert wait_until("the page", lambda: page(port)) == "mended"


def cut_off(yard: Yard, cuts: list[Cut]) -> dict[str, TracedDelivery]:
    """All cuts at once, since each waits for a lease to run out: start, push, kill, and how each delivery ended."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: yard.run(name, *CHECKED), [cut.name for cut in cuts]))
    for cut in cuts:
        yard.push(cut.name, web_image("two") if cut.ends == "delivered" else web_image("bad", Cmd=["busybox", "false"]))
    left = {cut.name for cut in cuts}

    def kill_the_caught() -> bool:
        for name in sorted(left):
            hold = yard.holds[name]
            if hold.caught.is_set():
                kill9(hold.pid)
                hold.drop()
                left.discard(name)
        return not left

    wait_until("every worker to be where it is killed", kill_the_caught, 200)
    return {cut.name: yard.ended(cut.name) for cut in cuts}


@pytest.fixture(scope="module")
def some_cut_off(yard: Yard) -> dict[str, TracedDelivery]:
    """How the deliveries ended whose workers were killed."""
    return cut_off(yard, CUTS)


@pytest.fixture(scope="module")
def more_cut_off(yard: Yard) -> dict[str, TracedDelivery]:
    """The same of further ones."""
    return cut_off(yard, MORE_CUTS)


def whole_again(yard: Yard, cut: Cut, delivery: TracedDelivery) -> bool:
    """One container runs, the new or the old, nothing else is left, and the delivery says which."""
    container = yard.alone(cut.name)
    is_old = container["Id"] == yard.old[cut.name]
    return (
        delivery.state == cut.ends
        and is_old is (cut.ends == "undone")
        and ("VERSION=two" in container["Config"]["Env"]) is not is_old
    )


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_a_worker_killed_at_any_step(yard: Yard, some_cut_off: dict[str, TracedDelivery], cut: Cut) -> None:
    """Another one carries on or undoes what was begun."""
    assert whole_again(yard, cut, some_cut_off[cut.name])


@pytest.mark.slow
@pytest.mark.parametrize("cut", MORE_CUTS, ids=lambda cut: cut.name)
def test_a_worker_killed_at_any_other_step(yard: Yard, more_cut_off: dict[str, TracedDelivery], cut: Cut) -> None:
    """The steps between, which leave one of the same states."""
    assert whole_again(yard, cut, more_cut_off[cut.name])


def test_a_stop_longer_than_a_lease(yard: Yard) -> None:
    """The lease is renewed meanwhile: nobody else takes over in the middle, and it is done at the first attempt."""
    # Its program does not listen to SIGTERM, so the Engine waits the whole time before it kills it.
    yard.run("slow", *CHECKED, "--stop-signal", "TERM", "--stop-timeout", "20")
    yard.push("slow", web_image("quick"))
    delivery = yard.ended("slow")
    assert [one.outcome for one in delivery.attempts] == ["delivered"]
    assert delivery.updated_at - delivery.created_at > LEASE_MS
    assert "VERSION=quick" in yard.alone("slow")["Config"]["Env"]


@pytest.mark.parametrize("stop", [STOPS[0], pytest.param(STOPS[1], marks=pytest.mark.slow)], ids=["asleep", "late"])
def test_a_worker_stopped_and_woken(yard: Yard, stop: Cut) -> None:
    """While it slept another one took over; what it had under way and what it would do next change nothing any more."""
    yard.run(stop.name, *CHECKED)
    digest = yard.push(stop.name, web_image("two", Labels={"stop": stop.name}))
    hold = yard.holds[stop.name]
    wait_until("the worker to be where it is stopped", hold.caught.is_set)
    os.kill(hold.pid, signal.SIGSTOP)
    try:
        delivery = yard.ended(stop.name)
        assert (delivery.state, len(delivery.attempts)) == ("delivered", 2)
        before = yard.alone(stop.name)
        assert before["Config"]["Image"].endswith(digest)
    finally:
        hold.let_go()
        os.kill(hold.pid, signal.SIGCONT)

    def lost() -> bool:
        lines = (yard.house.folder / "up.log").read_text().splitlines()
        return any('"delivery.lease_lost"' in line and delivery.id in line for line in lines)

    wait_until("the woken worker to see that its lease is lost", lost)
    after = yard.alone(stop.name)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert yard.deliveries(stop.name) == [delivery]
