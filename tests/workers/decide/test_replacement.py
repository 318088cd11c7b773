"""How a container is made anew: carried over, left to the new image, or refused."""

from typing import Any

import pytest

from workers.decide.replacement import (
    LABEL_DELIVERY,
    LABEL_DIGEST,
    LABEL_REPLACES,
    CannotReplace,
    NewImage,
    Replacement,
    plan_replacement,
    runs,
)

NEW = NewImage(reference="reg/web@sha256:new", digest="sha256:new", delivery="dlv_1")
IMAGE = {"Config": {"Env": ["PATH=/bin"], "Cmd": ["serve"], "Entrypoint": ["/web"], "Labels": {"maintainer": "m"}, "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/cache": {}}}}  # fmt: skip


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
    }
    assert body["ExposedPorts"] == {"80/tcp": {}}
    assert body["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostPort": "8080"}]}
    assert body["HostConfig"]["Binds"] == ["data:/data"]
    assert not {"Cmd", "Entrypoint", "WorkingDir", "Hostname"} & set(body)
    assert body["Volumes"] == {}


@pytest.mark.parametrize(
    ("config", "carried"),
    [
        ({"Cmd": ["other"]}, {"Cmd": ["other"]}),
        ({"Entrypoint": ["/other"]}, {"Entrypoint": ["/other"], "Cmd": ["serve"]}),
        ({"Entrypoint": None, "Cmd": ["sh"]}, {"Cmd": ["sh"]}),
        ({"User": "7"}, {"User": "7"}),
        ({"Hostname": "web"}, {"Hostname": "web"}),
        ({"StopTimeout": 30, "Tty": True}, {"StopTimeout": 30, "Tty": True}),
        ({"Healthcheck": {"Test": ["CMD", "x"]}}, {"Healthcheck": {"Test": ["CMD", "x"]}}),
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
    """They are bound by name; mounts and links are given as the Engine takes them."""
    mounts = [
        {"Type": "volume", "Name": "abc", "Destination": "/cache", "RW": False},
        {"Type": "volume", "Name": "named", "Destination": "/named", "RW": True},
        {"Type": "bind", "Source": "/etc", "Destination": "/etc"},
    ]
    old = container(
        None, {"Binds": None, "Mounts": [{"Source": "named", "Target": "/named"}], "Links": ["/db:/web/store"]}, Mounts=mounts
    )
    host = planned(old)["HostConfig"]
    assert host["Binds"] == ["abc:/cache:ro"]
    assert host["Links"] == ["db:store"]


def test_networks() -> None:
    """The one of HostConfig is joined at creation, the others after; addresses and ids are not carried."""
    networks = {"front": {"Aliases": ["web", "0123456789ab"], "IPAMConfig": None}, "back": {"DriverOpts": {"x": "y"}}}
    plan = plan_replacement(container(None, {"NetworkMode": "front"}, NetworkSettings={"Networks": networks}), IMAGE, [], NEW)
    assert isinstance(plan, Replacement)
    assert plan.body["NetworkingConfig"] == {"EndpointsConfig": {"front": {"Aliases": ["web"]}}}
    assert plan.networks == (("back", {"DriverOpts": {"x": "y"}}),)


@pytest.mark.parametrize(
    ("old", "others", "reason"),
    [
        (container(None, {"AutoRemove": True}), [], "--rm"),
        (container({"Labels": {"com.docker.compose.project": "p"}}), [], "Docker Compose"),
        (container({"Labels": {"com.docker.swarm.service.id": "p"}}), [], "Docker Swarm"),
        (container(NetworkSettings={"Networks": {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}}), [], "fixed address"),
        (container(), [{"Id": "x", "Names": ["/side"], "HostConfig": {"NetworkMode": "container:web"}}], "side"),
        (container(), [{"Id": "side-id", "HostConfig": {"NetworkMode": "container:0123456789abcdef"}}], "side-id"),
    ],
)
def test_refused(old: dict[str, Any], others: list[dict[str, Any]], reason: str) -> None:
    """What could not be brought back or carried over is not touched, with a reason for people."""
    plan = plan_replacement(old, IMAGE, [{"Id": "other"}, *others], NEW)
    assert isinstance(plan, CannotReplace)
    assert reason in plan.reason


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
