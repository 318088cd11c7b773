"""How a container is made anew: carried over, left to the new image, or refused."""

from typing import Any

import pytest

from workers.decide.replacement import (
    LABEL_DELIVERY,
    LABEL_DIGEST,
    LABEL_RAN,
    LABEL_REPLACES,
    CannotReplace,
    NewImage,
    Replacement,
    plan_replacement,
    runs,
)

NEW = NewImage(reference="reg/web@sha256:new", digest="sha256:new", delivery="dlv_1")
IMAGE = {"Config": {"Healthcheck": {"Test": ["CMD", "own"]}, "Env": ["PATH=/bin"], "Cmd": ["serve"], "Entrypoint": ["/web"], "Labels": {"maintainer": "m"}, "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/cache": {}}}}  # fmt: skip


def container(config: dict[str, Any] | None = None, host: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An inspection of a container of IMAGE."""
    return {
        "Id": "0123456789abcdef",
        "Name": "/web",
        "Config": {
            "Hostname": "0123456789ab",
            "Env": ["PATH=/bin", "MODE=prod"],
            "Cmd": ["serve"],
            "Entrypoint": ["/web"],
            "Labels": {"maintainer": "m", "team": "shop", LABEL_DELIVERY: "dlv_0"},
            "WorkingDir": "/srv",
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/cache": {}},
        }
        | (config or {}),
        "State": {"Running": True},
        "HostConfig": {"NetworkMode": "default", "PortBindings": {"80/tcp": [{"HostPort": "8080"}]}, "Binds": ["data:/data"], "Dns": None} | (host or {}),
        "NetworkSettings": {"Networks": {"bridge": {"NetworkID": "n", "IPAddress": "172.17.0.2"}}},
        "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/data", "RW": True}],
    } | more  # fmt: skip


def planned(old: dict[str, Any]) -> dict[str, Any]:
    """The body of a plan."""
    plan = plan_replacement(old, IMAGE, [], NEW)
    assert isinstance(plan, Replacement)
    return dict(plan.body)


def test_only_what_the_operator_set_is_carried() -> None:
    """The old image's defaults are left out, so that the new image's own hold."""
    body = planned(container())
    assert body["Image"] == "reg/web@sha256:new"
    assert body["Env"] == ["MODE=prod"]
    assert body["Labels"] == {
        "team": "shop",
        LABEL_DELIVERY: "dlv_1",
        LABEL_DIGEST: "sha256:new",
        LABEL_REPLACES: "0123456789abcdef",
        LABEL_RAN: "running",
    }
    assert body["ExposedPorts"] == {"80/tcp": {}}
    assert body["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostPort": "8080"}]}
    assert body["HostConfig"]["Binds"] == ["data:/data"]
    assert not {"Cmd", "Entrypoint", "WorkingDir", "Hostname", "Healthcheck"} & set(body)
    assert body["Volumes"] == {}


def test_a_container_that_did_not_run() -> None:
    """Bringing it back means leaving it stopped."""
    assert planned(container(State={"Running": False}))["Labels"][LABEL_RAN] == "stopped"


@pytest.mark.parametrize(
    ("config", "carried"),
    [
        ({"Cmd": ["other"]}, {"Cmd": ["other"]}),
        ({"Entrypoint": ["/other"]}, {"Entrypoint": ["/other"], "Cmd": ["serve"]}),
        ({"Entrypoint": None, "Cmd": ["sh"]}, {"Entrypoint": [""], "Cmd": ["sh"]}),
        ({"Entrypoint": ["/web"], "Cmd": None}, {"Entrypoint": ["/web"]}),
        ({"User": "7"}, {"User": "7"}),
        ({"Hostname": "web"}, {"Hostname": "web"}),
        ({"StopTimeout": 30, "Tty": True}, {"StopTimeout": 30, "Tty": True}),
        ({"MacAddress": "02:42:ac:11:00:99", "NetworkDisabled": False}, {"MacAddress": "02:42:ac:11:00:99"}),
        ({"Healthcheck": {"Test": ["CMD", "x"]}}, {"Healthcheck": {"Test": ["CMD", "x"]}}),
        ({"Healthcheck": {"Test": ["CMD", "own"], "Interval": 7}}, {"Healthcheck": {"Interval": 7}}),
        ({"Healthcheck": {"Test": ["NONE"]}}, {"Healthcheck": {"Test": ["NONE"]}}),
    ],
)
def test_overrides(config: dict[str, Any], carried: dict[str, Any]) -> None:
    """A command belongs to its entrypoint; a name given by hand stays."""
    assert carried.items() <= planned(container(config)).items()


@pytest.mark.parametrize("host", [{"NetworkMode": "host"}, {"NetworkMode": "container:x"}, {"UTSMode": "host"}])
def test_a_hostname_that_cannot_be_given(host: dict[str, Any]) -> None:
    """The Engine would refuse it."""
    assert "Hostname" not in planned(container({"Hostname": "web"}, host))


def test_anonymous_volumes_keep_their_data() -> None:
    """They are bound by name, also those of a mount without a source; links are given as the Engine takes them."""
    mounts = [
        {"Type": "volume", "Name": "abc", "Destination": "/cache", "RW": False},
        {"Type": "volume", "Name": "named", "Destination": "/named", "RW": True},
        {"Type": "volume", "Name": "def", "Destination": "/mounted", "RW": True},
        {"Type": "bind", "Source": "/etc", "Destination": "/etc"},
    ]
    asked = [
        {"Type": "volume", "Source": "named", "Target": "/named"},
        {"Type": "volume", "Target": "/mounted"},
        {"Type": "tmpfs", "Target": "/t"},
    ]
    host = planned(container(None, {"Binds": None, "Mounts": asked, "Links": ["/db:/web/store"]}, Mounts=mounts))["HostConfig"]
    assert host["Binds"] == ["abc:/cache:ro"]
    assert host["Mounts"] == [asked[0], {**asked[1], "Source": "def"}, asked[2]]
    assert host["Links"] == ["db:store"]


@pytest.mark.parametrize("mode", ["front", "f00dcafe"])
def test_networks(mode: str) -> None:
    """The one of HostConfig, by name or id, is joined at creation, the others after; addresses and ids are not carried."""
    networks = {
        "back": {"DriverOpts": {"x": "y"}, "NetworkID": "beef"},
        "front": {"Aliases": ["web", "0123456789ab"], "IPAMConfig": None, "NetworkID": "f00dcafe00"},
    }
    plan = plan_replacement(container(None, {"NetworkMode": mode}, NetworkSettings={"Networks": networks}), IMAGE, [], NEW)
    assert isinstance(plan, Replacement)
    assert plan.body["NetworkingConfig"] == {"EndpointsConfig": {"front": {"Aliases": ["web"]}}}
    assert plan.networks == (("back", {"DriverOpts": {"x": "y"}}),)


@pytest.mark.parametrize("mode", ["host", "none", "container:x"])
def test_no_network_of_its_own(mode: str) -> None:
    """Then there is none to join."""
    plan = plan_replacement(container(None, {"NetworkMode": mode}, NetworkSettings={"Networks": {mode: {}}}), IMAGE, [], NEW)
    assert isinstance(plan, Replacement)
    assert "NetworkingConfig" not in plan.body
    assert plan.networks == ()


def other(**host: Any) -> dict[str, Any]:
    """An inspection of another container."""
    return {"Id": "fedc", "Name": "/side", "HostConfig": host}


@pytest.mark.parametrize(
    ("old", "others", "reason"),
    [
        (container(None, {"AutoRemove": True}), [], "--rm"),
        (container(State={"Running": True, "Paused": True}), [], "paused"),
        (container({"StopTimeout": -1}), [], "--stop-timeout -1"),
        (container({"Labels": {"com.docker.compose.project": "p"}}), [], "Docker Compose"),
        (container({"Labels": {"com.docker.swarm.service.id": "p"}}), [], "Docker Swarm"),
        (container({"Labels": {"io.kubernetes.pod.name": "p"}}), [], "Kubernetes"),
        (container(NetworkSettings={"Networks": {"bridge": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}}), [], "fixed address"),
        (container(NetworkSettings={"Networks": {"n": {}}}), [], "not connected to bridge"),
        (container(None, {"NetworkMode": "front"}, NetworkSettings={"Networks": {}}), [], "not connected to front"),
        (container(), [other(NetworkMode="container:web")], "side shares this one's network"),
        (container(), [other(NetworkMode="container:0123456789abcdef")], "side shares this one's network"),
        (container(), [other(PidMode="container:0123456789abcdef")], "side shares this one's processes"),
        (container(), [other(IpcMode="container:web")], "side shares this one's memory"),
        (container(), [other(Links=["/web:/side/shop"])], "side links to this one"),
    ],
)
def test_refused(old: dict[str, Any], others: list[dict[str, Any]], reason: str) -> None:
    """What could not be brought back or carried over is not touched, with a reason for people."""
    plan = plan_replacement(old, IMAGE, [other(), *others], NEW)
    assert isinstance(plan, CannotReplace)
    assert reason in plan.reason


@pytest.mark.parametrize(
    "stranger",
    [other(NetworkMode="container:"), other(NetworkMode="web"), other(IpcMode="shareable"), other(Links=["/db:/side/web"])],
)
def test_others_that_do_not_depend_on_it(stranger: dict[str, Any]) -> None:
    """A network, an alias or another container of the same name is none of its business."""
    assert isinstance(plan_replacement(container(), IMAGE, [stranger], NEW), Replacement)


def test_an_image_of_compose_in_a_container_of_ones_own() -> None:
    """Compose labels the images it builds; a container started from one by hand has those labels, and no others."""
    image = {"Config": {**IMAGE["Config"], "Labels": {"com.docker.compose.project": "p"}}}
    old = container({"Labels": {"com.docker.compose.project": "p"}})
    assert isinstance(plan_replacement(old, image, [], NEW), Replacement)
    managed = container({"Labels": {"com.docker.compose.project": "p", "com.docker.compose.container-number": "1"}})
    assert isinstance(plan_replacement(managed, image, [], NEW), CannotReplace)


def test_an_image_that_is_gone() -> None:
    """Its defaults cannot be told from the operator's settings, and would be baked in."""
    plan = plan_replacement(container(), None, [], NEW)
    assert isinstance(plan, CannotReplace)
    assert "no longer has the image" in plan.reason


@pytest.mark.parametrize(
    ("running", "digests", "image", "expected"),
    [
        (True, ["reg/web@sha256:new"], "web", True),
        (True, None, "reg/web@sha256:new", True),
        (True, ["reg/web@sha256:old"], "web", False),
        (False, ["reg/web@sha256:new"], "web", False),
    ],
)
def test_runs(running: bool, digests: list[str] | None, image: str, expected: bool) -> None:  # noqa: FBT001 - columns of the table
    """By the image's digests, or the reference it was made from."""
    assert (
        runs({"State": {"Running": running}, "Config": {"Image": image}}, {"RepoDigests": digests}, NEW.reference) is expected
    )
