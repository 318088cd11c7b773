"""What of a container is carried over to the one that replaces it, and what is refused rather than lost, on a real Engine."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import Engine, House, free_port, wait_until
from tests.real.engine_images import load, web_image
from tests.workers.leases import Holding
from wharfinger.cli.pusher import Image, digest_of
from wharfinger.runtime.settings import DockerTarget, Secret, Source
from workers.adapters.docker_engine import DockerEngine
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent, Unchanged, Undone
from workers.decide.recovery import names_of
from workers.decide.replacement import LABEL_DELIVERY

pytestmark = pytest.mark.real

FAST = ["--health-cmd", "true", "--health-interval", "1s"]
DELIVERY = "dlv_00000000000000000000000001"
OTHER = "dlv_00000000000000000000000002"


@dataclass
class Dock:
    """An Engine, a registry that it pulls from, and images pushed there."""

    engine: Engine
    house: House
    folder: Path

    def run(self, name: str, *options: str, image: str = "local/old:v1", command: tuple[str, ...] = ()) -> str:
        """Start a container; its id."""
        return self.engine.docker("run", "-d", "--name", name, *options, image, *command).stdout.strip()

    def pushed(self, image: Image, repository: str = "team/dock") -> str:
        """Push an image; its digest."""
        self.house.pusher("admin").push(image, repository, "v1")
        return image.digest

    def order(self, digest: str, *, delivery: str = DELIVERY, repository: str = "team/dock") -> Order:
        """What a delivery of a digest tells the target."""
        return Order(
            delivery_id=delivery, rule="r", target="t", source="main", registry_host=self.house.registry, repository=repository, tag="v1",
            digest=digest, media_type="", account="hussein", jti="", event_id="", pushed_at_ms=0, attempt=1,
        )  # fmt: skip

    def target(self, container: str, *, host: str = "", account: str = "wharfinger") -> DockerEngine:
        """The adapter for one container."""
        password = Secret(self.house.password(account).encode())
        source = Source("main", (), self.house.url, self.house.registry, account, password)
        return DockerEngine(DockerTarget("t", host or f"unix://{self.engine.socket}", container, 20, 1), {"main": source})

    def replace(self, container: str, digest: str) -> Sent:
        """Resume and send, as a worker does."""
        target, order = self.target(container), self.order(digest)
        return target.resume(order, Holding()) or target.send(order, Holding())


@pytest.fixture(scope="module")
def quay(house: House, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Dock:
    """What all tests here share."""
    dock = Dock(engine, house, tmp_path_factory.mktemp("dock"))
    load(engine, web_image("one"), "local/old:v1", dock.folder)
    engine.docker("network", "create", "--subnet", "10.211.79.0/24", "dock")
    return dock


@pytest.fixture
def dock(quay: Dock) -> Iterator[Dock]:
    """The same, without the containers of other tests."""
    yield quay
    for name in quay.engine.names(""):
        quay.engine.docker("rm", "-f", name)


@pytest.fixture(scope="module")
def two(quay: Dock) -> str:
    """The digest of a newer image."""
    return quay.pushed(web_image("two"))


def as_it_was(dock: Dock, name: str) -> dict[str, Any]:
    """All that tells whether a container was touched."""
    found = dock.engine.inspect(name)
    return {"id": found["Id"], "name": found["Name"], "state": found["State"], "others": dock.engine.names("")}


@pytest.mark.parametrize(
    ("options", "then", "reason"),
    [
        (["--rm"], [], "(--rm)"),
        (["--label", "com.docker.compose.project=shop"], [], "belongs to Docker Compose"),
        (["--label", "com.docker.swarm.service.id=x"], [], "belongs to Docker Swarm"),
        (["--network", "dock", "--ip", "10.211.79.9"], [], "fixed address in network dock"),
        (["--stop-timeout", "-1"], [], "--stop-timeout -1"),
        ([], ["pause", "web"], "paused"),
        (["--network", "dock"], ["network", "disconnect", "dock", "web"], "not connected to dock"),
        ([], ["run", "-d", "--name", "side", "--network", "container:web", "local/old:v1"], "container side shares this one's network"),
        ([], ["run", "-d", "--name", "side", "--pid", "container:web", "local/old:v1"], "container side shares this one's processes"),
        (["--ipc", "shareable"], ["run", "-d", "--name", "side", "--ipc", "container:web", "local/old:v1"], "container side shares this one's memory"),
        ([], ["run", "-d", "--name", "side", "--link", "web:shop", "local/old:v1"], "container side links to this one"),
    ],
)  # fmt: skip
def test_what_is_not_carried_over_is_refused(dock: Dock, two: str, options: list[str], then: list[str], reason: str) -> None:
    """With the reason, and before anything is pulled, made or touched."""
    dock.run("web", *options)
    if then:
        dock.engine.docker(*then)
    before = as_it_was(dock, "web")
    sent = dock.replace("web", two)
    assert isinstance(sent, Refused)
    assert reason in sent.reason
    assert as_it_was(dock, "web") == before


def test_a_name_is_no_beginning_of_an_id(dock: Dock, two: str) -> None:
    """The Engine would take it for one: a target that names no container must not get a stranger."""
    ident = dock.run("stranger")
    before = as_it_was(dock, "stranger")
    sent = dock.replace(ident[:6], two)
    assert isinstance(sent, Refused)
    assert f"no container {ident[:6]}" in sent.reason
    assert as_it_was(dock, "stranger") == before


def test_an_image_that_is_gone(dock: Dock, two: str) -> None:
    """Without the old image its defaults would be taken for the operator's, and baked in for ever."""
    load(dock.engine, web_image("gone"), "local/gone:v1", dock.folder)
    dock.run("web", image="local/gone:v1")
    dock.engine.docker("kill", "web")
    dock.engine.docker("rmi", "-f", "local/gone:v1")
    # Newer Engines keep what a container was made of under its id, until told by that.
    dock.engine.docker("rmi", "-f", dock.engine.inspect("web")["Image"], check=False)
    sent = dock.replace("web", two)
    assert isinstance(sent, Refused)
    assert "no longer has the image" in sent.reason


EVERYTHING = [
    "--memory", "64m", "--memory-swap", "128m", "--cpus", "0.5", "--pids-limit", "100", "--ulimit", "nofile=1000:2000", "--cap-add", "NET_ADMIN",
    "--cap-drop", "MKNOD", "--security-opt", "no-new-privileges", "--tmpfs", "/scratch:size=1m", "--shm-size", "8m", "--read-only", "--init",
    "--dns", "127.0.0.1", "--add-host", "db:127.0.0.9", "--group-add", "7", "--log-opt", "max-size=1m", "--device", "/dev/null:/dev/mine",
    "--sysctl", "net.ipv4.ip_unprivileged_port_start=0", "--oom-score-adj", "100", "--restart", "on-failure:3", "--cpuset-cpus", "0",
    "--pid", "host", "--ipc", "shareable", "--link", "other:store", "--volumes-from", "other:ro", "-v", "/etc/hostname:/outside:ro",
    "--mount", "type=tmpfs,target=/fast", "--mount", "type=volume,source=named,target=/named,readonly", "-p", "127.0.0.1::81/udp",
]  # fmt: skip
CONFIG = [
    "--hostname",
    "shop",
    "--domainname",
    "example.test",
    "--user",
    "0:0",
    "--workdir",
    "/www",
    "-t",
    "--stop-timeout",
    "3",
]


@pytest.mark.parametrize(
    "options",
    [EVERYTHING, ["--network", "host", "--uts", "host", "--security-opt", "systempaths=unconfined"], ["--network", "none"]],
)
def test_every_setting_is_carried(dock: Dock, two: str, options: list[str]) -> None:
    """The Engine takes its own description of a container back, and the new one has the very same settings."""
    config = CONFIG if options is EVERYTHING else []
    dock.run("other", "-v", "/shared")
    dock.run("web", *FAST, *options, *config, command=("busybox", "sleep", "1000"))
    before = dock.engine.inspect("web")
    assert dock.replace("web", two) == Delivered("replaced; the new container serves")
    after = dock.engine.inspect("web")
    assert after["Id"] != before["Id"]
    for old in (before["HostConfig"], after["HostConfig"]):
        old["Binds"] = sorted(bind for bind in old["Binds"] or [] if bind.startswith("/"))
        for bindings in (old["PortBindings"] or {}).values():
            for binding in bindings:
                binding["HostPort"] = binding["HostPort"] or "0"
    assert after["HostConfig"] == before["HostConfig"]
    carried = ("Domainname", "User", "WorkingDir", "Tty", "StopTimeout") + (("Hostname",) if config else ())
    assert {name: after["Config"].get(name) for name in carried} == {name: before["Config"].get(name) for name in carried}
    volumes = [{mount["Destination"]: (mount.get("Name"), mount["RW"]) for mount in one["Mounts"]} for one in (before, after)]
    assert volumes[1] == volumes[0]


def test_the_images_own_settings_are_the_new_ones(dock: Dock) -> None:
    """Command, entrypoint, check, label and environment of the image change with it; what was set beside them stays."""
    old = web_image(
        "old", Healthcheck={"Test": ["CMD", "busybox", "true"], "Interval": 10**9, "Retries": 5}, Labels={"of": "old"}
    )
    load(dock.engine, old, "local/defaults:v1", dock.folder)
    new = web_image(
        "new", Healthcheck={"Test": ["CMD", "busybox", "test", "1"], "Retries": 7}, Labels={"of": "new"}, Entrypoint=["busybox"],
        Cmd=["httpd", "-f", "-p", "81", "-h", "/www"],
    )  # fmt: skip
    dock.run("web", "--health-interval", "2s", image="local/defaults:v1")
    assert isinstance(dock.replace("web", dock.pushed(new)), Delivered)
    config = dock.engine.inspect("web")["Config"]
    assert (config["Entrypoint"], config["Cmd"]) == (["busybox"], ["httpd", "-f", "-p", "81", "-h", "/www"])
    assert config["Healthcheck"] == {"Test": ["CMD", "busybox", "test", "1"], "Interval": 2 * 10**9, "Retries": 7}
    assert config["Labels"]["of"] == "new"
    assert config["Env"] == ["PATH=/bin", "VERSION=new"]


def test_no_entrypoint_stays_none(dock: Dock) -> None:
    """An entrypoint that was taken away by hand does not come back with the new image."""
    load(dock.engine, web_image("old", Entrypoint=["busybox", "echo"]), "local/echo:v1", dock.folder)
    dock.run("web", "--entrypoint", "", *FAST, image="local/echo:v1", command=("busybox", "sleep", "1000"))
    assert isinstance(dock.replace("web", dock.pushed(web_image("new", Entrypoint=["busybox", "echo"]))), Delivered)
    config = dock.engine.inspect("web")["Config"]
    assert (config["Entrypoint"], config["Cmd"]) == (None, ["busybox", "sleep", "1000"])


def test_a_container_that_dies_again_and_again(dock: Dock, two: str) -> None:
    """The Engine restarts it for ever; what was pushed to mend it takes its place."""
    load(dock.engine, web_image("dies", Cmd=["busybox", "false"]), "local/dies:v1", dock.folder)
    dock.run("web", *FAST, "--restart", "always", image="local/dies:v1")

    def between_two_runs() -> bool:
        found = dock.engine.inspect("web")
        return bool(found["State"]["Restarting"] and found["RestartCount"] > 4)

    wait_until("a long pause between two runs", between_two_runs)
    assert isinstance(dock.replace("web", two), Delivered)
    assert dock.engine.names("") == ["web"]


@pytest.mark.parametrize(("command", "ends", "runs"), [("httpd", Delivered, True), ("false", Undone, False)])
def test_a_stopped_container(dock: Dock, command: str, ends: type, *, runs: bool) -> None:
    """It is replaced by one that runs: that was the last one's fault perhaps; when that fails it is back, stopped as it was."""
    old = dock.run("web", *FAST)
    dock.engine.docker("stop", "web")
    image = web_image("two") if command == "httpd" else web_image("bad", Cmd=["busybox", "false"])
    assert isinstance(dock.replace("web", dock.pushed(image)), ends)
    found = dock.engine.inspect("web")
    assert (found["State"]["Running"], found["Id"] == old) == (runs, not runs)
    assert dock.engine.names("") == ["web"]


def test_a_program_that_is_not_there(dock: Dock) -> None:
    """The Engine cannot start the new container at all: undone at once, not tried for days with the old one stopped."""
    old = dock.run("web", *FAST)
    sent = dock.replace("web", dock.pushed(web_image("bad", Cmd=["/nowhere"])))
    assert isinstance(sent, Undone)
    assert "/nowhere" in sent.detail
    found = dock.engine.inspect("web")
    assert (found["Id"], found["State"]["Running"], dock.engine.names("")) == (old, True, ["web"])


def test_a_port_that_was_taken(dock: Dock, two: str) -> None:
    """What the old container holds is free for the new one; so the same port and the same name go from one to the other."""
    port = free_port()
    dock.run("web", *FAST, "-p", f"127.0.0.1:{port}:80")
    assert isinstance(dock.replace("web", two), Delivered)
    assert dock.replace("web", two) == Delivered("replaced before a crash; the new container served")
    again = dock.target("web").send(dock.order(two, delivery=OTHER), Holding())
    assert again == Unchanged("the container runs this digest")


def test_neighbours_are_left_alone(dock: Dock, two: str) -> None:
    """Containers named as a replacement's would be, of people and of another target on the same Engine, are nobody's leftovers."""
    for name in ("web", "web-new", "web-old", "web-new-blue"):
        dock.run(name, *FAST)
    assert isinstance(dock.replace("web-new-blue", two), Delivered)
    before = {name: as_it_was(dock, name)["id"] for name in ("web-new", "web-old", "web-new-blue")}
    assert isinstance(dock.replace("web", two), Delivered)
    assert {name: as_it_was(dock, name)["id"] for name in before} == before
    assert dock.engine.names("") == ["web", "web-new", "web-new-blue", "web-old"]


def test_what_another_delivery_left_is_ended_first(dock: Dock, two: str) -> None:
    """A worker died over one delivery, and a later one overtook it: the old container comes back before anything else is done."""
    names = names_of("web", OTHER)
    old = dock.run(names.old, *FAST)
    dock.engine.docker("stop", names.old)
    dock.engine.docker("create", "--name", names.new, "--label", f"{LABEL_DELIVERY}={OTHER}", "local/old:v1")
    target = dock.target("web")
    assert target.resume(dock.order(two), Holding()) is None
    found = dock.engine.inspect("web")
    assert (found["Id"], found["State"]["Running"], dock.engine.names("")) == (old, True, ["web"])


def test_an_old_one_that_runs_again(dock: Dock, two: str) -> None:
    """The Engine itself was restarted in the middle, and its policy started both: the new one serves, so the old one goes."""
    names = names_of("web", DELIVERY)
    dock.run(names.old, *FAST, "--restart", "always")
    new = dock.run("web", *FAST, "--label", f"{LABEL_DELIVERY}={DELIVERY}")
    assert dock.replace("web", two) == Delivered("replaced; the new container serves")
    assert (dock.engine.inspect("web")["Id"], dock.engine.names("")) == (new, ["web"])


def test_an_old_one_that_was_removed_by_hand(dock: Dock) -> None:
    """While the new one was looked at, which then failed: it stays, for nothing else knows any more how it was set up."""
    dock.run("web", "-e", "MODE=prod")
    digest, aside = dock.pushed(web_image("bad", Cmd=["busybox", "sleep", "4"])), names_of("web", DELIVERY).old
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(dock.replace, "web", digest)
        wait_until(
            "the new one to run", lambda: aside in dock.engine.names("") and dock.engine.inspect("web")["State"]["Running"]
        )
        dock.engine.docker("rm", "-f", aside)
        assert sent.result(60) == Failed("the new container ended with exit code 0; the old one is gone")
    assert "MODE=prod" in dock.engine.inspect("web")["Config"]["Env"]
    assert dock.engine.names("") == ["web"]


def test_two_containers_that_may_both_be_wanted(dock: Dock, two: str) -> None:
    """Somebody started another container under the name while the old one was set aside: no guess, both stay."""
    names = names_of("web", OTHER)
    dock.run(names.old)
    dock.run("web")
    before = as_it_was(dock, "web"), as_it_was(dock, names.old)
    sent = dock.replace("web", two)
    assert isinstance(sent, Refused)
    assert names.old in sent.reason
    assert (as_it_was(dock, "web"), as_it_was(dock, names.old)) == before


def test_over_tcp(dock: Dock, two: str) -> None:
    """An Engine that listens on TCP is the same Engine."""
    dock.run("web", *FAST)
    target = dock.target("web", host=f"tcp://127.0.0.1:{dock.engine.tcp_port}")
    assert isinstance(target.send(dock.order(two), Holding()), Delivered)
    nobody = dock.target("web", host=f"tcp://127.0.0.1:{free_port()}")
    assert isinstance(nobody.resume(dock.order(two), Holding()), Retry)


@pytest.mark.parametrize(
    ("repository", "account", "reachable", "ends"),
    [("team/dock", "wharfinger", True, Failed), ("fedora", "hussein", True, Failed), ("team/dock", "wharfinger", False, Retry)],
)
def test_a_pull_that_fails(dock: Dock, repository: str, account: str, *, reachable: bool, ends: type) -> None:
    """Deleted meanwhile, or denied: that is not tried for days. A registry that does not answer is. The container runs on."""
    dock.run("web")
    before = as_it_was(dock, "web")
    order = dock.order("sha256:" + "0" * 64, repository=repository)
    if not reachable:
        order = replace(order, registry_host=f"127.0.0.1:{free_port()}")
    assert isinstance(dock.target("web", account=account).send(order, Holding()), ends)
    assert as_it_was(dock, "web") == before


def test_what_is_no_image(dock: Dock) -> None:
    """A chart in a repository of images, which a rule matched too: over at once, and the container runs on."""
    dock.run("web")
    before = as_it_was(dock, "web")
    config = b'{"name": "chart"}'
    described = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest_of(config), "size": len(config)}
    image = web_image("chart")
    manifest = json.dumps(json.loads(image.manifest) | {"config": described}).encode()
    digest = dock.pushed(Image(image.layer, config, manifest))
    assert isinstance(dock.replace("web", digest), Failed)
    assert as_it_was(dock, "web") == before
