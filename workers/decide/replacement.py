"""Decides how a container is made anew from another image: what is carried over, and what is refused rather than lost.

Source: Docker Engine API, ``GET /containers/{id}/json`` and ``POST /containers/create``. Only what the operator set is carried
over: whatever equals the old image's defaults is left out, so that the new image's own defaults hold. Not seen, so not carried:
a MAC address given by hand to an Engine of API 1.44 or newer, which shows one it drew itself in the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

LABEL_DELIVERY: Final = "wharfinger.delivery"
LABEL_DIGEST: Final = "wharfinger.digest"
LABEL_REPLACES: Final = "wharfinger.replaces"
LABEL_RAN: Final = "wharfinger.replaces.was"
OURS: Final = (LABEL_DELIVERY, LABEL_DIGEST, LABEL_REPLACES, LABEL_RAN)
RAN: Final = "running"
STOOD: Final = "stopped"
_SHORT_ID: Final = 12
_MANAGED: Final = {
    "com.docker.compose.": "Docker Compose",
    "com.docker.swarm.": "Docker Swarm",
    "io.kubernetes.": "Kubernetes",
}
_DEFAULTED: Final = ("User", "WorkingDir", "StopSignal", "Shell", "OnBuild")
_KEPT: Final = (
    "Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr", "Domainname", "StopTimeout",
    "NetworkDisabled", "MacAddress",
)  # fmt: skip
_NAMESPACES: Final = {"NetworkMode": "network", "PidMode": "processes", "IpcMode": "memory (IPC)"}


@dataclass(frozen=True, slots=True)
class Replacement:
    """What to create: the request's body, and the networks to connect before the start, each with its settings."""

    body: Json
    networks: tuple[tuple[str, Json], ...]


@dataclass(frozen=True, slots=True)
class CannotReplace:
    """Why it is not touched, for people."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """What to run: the reference to create from, and the marks the new container gets."""

    reference: str
    digest: str
    delivery: str


def plan_replacement(old: Json, old_image: Json | None, others: Sequence[Json], new: NewImage) -> Replacement | CannotReplace:
    """Plan a new container from an old one.

    Args:
        old: inspection of the container.
        old_image: inspection of the image it was made from; None when the Engine has it no more.
        others: inspections of the Engine's other containers.
        new: what to run instead.
    """
    if old_image is None:
        return CannotReplace(
            "the Engine no longer has the image this container was made from, so that image's own settings cannot be told "
            "from those given by hand; make the container anew once by hand"
        )
    config, defaults = old["Config"], old_image.get("Config") or {}
    refusal = _refusal(old, defaults) or _dependants(old, others)
    if refusal:
        return CannotReplace(refusal)
    body: dict[str, Any] = {name: config[name] for name in _KEPT if config.get(name)}
    body |= {name: config[name] for name in _DEFAULTED if config.get(name) and config[name] != defaults.get(name)}
    body |= _command(config, defaults)
    # The Engine fills the fields of a check that are not given from the image's, one by one.
    check = _without(config.get("Healthcheck"), defaults.get("Healthcheck"))
    if check:
        body["Healthcheck"] = check
    body["Env"] = [one for one in config.get("Env") or [] if one not in (defaults.get("Env") or [])]
    body["Labels"] = _without(config.get("Labels"), defaults.get("Labels"), OURS) | {
        LABEL_DELIVERY: new.delivery,
        LABEL_DIGEST: new.digest,
        LABEL_REPLACES: old["Id"],
        LABEL_RAN: RAN if old["State"].get("Running") else STOOD,
    }
    body["Volumes"] = _without(config.get("Volumes"), defaults.get("Volumes"))
    body["ExposedPorts"] = _exposed(old, config, defaults)
    body["Image"] = new.reference
    if _keeps_hostname(old):
        body["Hostname"] = config["Hostname"]
    body["HostConfig"] = _host_config(old)
    networks = _networks(old)
    if networks:
        name, settings = networks[0]
        body["NetworkingConfig"] = {"EndpointsConfig": {name: settings}}
    return Replacement(body, networks[1:])


def runs(container: Json, image: Json | None, reference: str) -> bool:
    """Whether a container runs an image by its digest already."""
    wanted = reference in ((image or {}).get("RepoDigests") or [])
    return bool(container["State"].get("Running")) and (wanted or container["Config"].get("Image") == reference)


def _refusal(old: Json, defaults: Json) -> str:
    host, config = old["HostConfig"], old["Config"]
    if host.get("AutoRemove"):
        return "the container is removed when it stops (--rm), so it could not be brought back"
    if old["State"].get("Paused"):
        return "the container is paused; unpause it first"
    if (config.get("StopTimeout") or 0) < 0:
        return "the container may take for ever to stop (--stop-timeout -1); give it a time"
    # An image built by Compose has its labels too; a container of Compose has some of its own.
    for label in _without(config.get("Labels"), defaults.get("Labels")):
        for prefix, manager in _MANAGED.items():
            if label.startswith(prefix):
                return f"the container belongs to {manager}, which would undo what is done here; deploy by it instead"
    return _network_refusal(old)


def _network_refusal(old: Json) -> str:
    mode = _own_network(old)
    joined = old["NetworkSettings"].get("Networks") or {}
    if mode and not any(_is_network(mode, name, settings) for name, settings in joined.items()):
        return f"the container is not connected to {mode}, the network it was made in; connect it again"
    for name, settings in joined.items():
        if any((settings.get("IPAMConfig") or {}).values()):
            return (
                f"the container has a fixed address in network {name}, which two containers cannot hold; not carried over yet"
            )
    return ""


def _dependants(old: Json, others: Sequence[Json]) -> str:
    name = old["Name"].lstrip("/")
    for other in others:
        host, who = other["HostConfig"], other["Name"].lstrip("/")
        for setting, shared in _NAMESPACES.items():
            kind, _, whose = (host.get(setting) or "").partition(":")
            if kind == "container" and whose and (whose == name or old["Id"].startswith(whose)):
                return f"container {who} shares this one's {shared}, and would lose it: not carried over yet"
        if any(_link(link).partition(":")[0] == name for link in host.get("Links") or []):
            return f"container {who} links to this one (--link), and would lose it: not carried over yet"
    return ""


def _command(config: Json, defaults: Json) -> dict[str, Any]:
    # A command is an argument of its entrypoint: it is the image's own only if the entrypoint is too. The Engine gives the
    # image's command only to who sets neither, so without it the entrypoint was set, to whatever it is.
    entrypoint, command = config.get("Entrypoint") or [], config.get("Cmd") or []
    own, own_command = defaults.get("Entrypoint") or [], defaults.get("Cmd") or []
    if entrypoint == own and command == own_command:
        return {}
    found: dict[str, Any] = {"Cmd": command} if command else {}
    if entrypoint != own or not command:
        found["Entrypoint"] = entrypoint or [""]  # as `--entrypoint ""` is sent: none, and not the image's either
    return found


def _without(values: Json | None, defaults: Json | None, names: Sequence[str] = ()) -> dict[str, Any]:
    left = defaults or {}
    same = {name for name, value in (values or {}).items() if name in left and left[name] == value}
    return {name: value for name, value in (values or {}).items() if name not in same and name not in names}


def _exposed(old: Json, config: Json, defaults: Json) -> dict[str, Any]:
    published: dict[str, Any] = {port: {} for port in old["HostConfig"].get("PortBindings") or {}}
    return _without(config.get("ExposedPorts"), defaults.get("ExposedPorts")) | published


def _keeps_hostname(old: Json) -> bool:
    host = old["HostConfig"]
    mode = host.get("NetworkMode") or ""
    given = old["Config"].get("Hostname") or ""
    own = given and given != old["Id"][:_SHORT_ID]
    return bool(own and mode != "host" and not mode.startswith("container:") and not host.get("UTSMode"))


def _host_config(old: Json) -> dict[str, Any]:
    host = {name: value for name, value in old["HostConfig"].items() if value is not None}
    volumes = {mount["Destination"]: mount for mount in old.get("Mounts") or [] if mount.get("Type") == "volume"}
    if host.get("Mounts"):
        host["Mounts"] = [_named_mount(mount, volumes) for mount in host["Mounts"]]
    binds = host.get("Binds") or []
    # What is given by name stays so; the rest are anonymous volumes, which a new container would get anew, and empty.
    given = {bind.split(":")[1] for bind in binds if ":" in bind} | {mount.get("Target") for mount in host.get("Mounts") or []}
    anonymous = [
        f"{mount['Name']}:{place}{'' if mount.get('RW', True) else ':ro'}"
        for place, mount in volumes.items()
        if place not in given
    ]
    host["Binds"] = [*binds, *anonymous]
    if host.get("Links"):
        host["Links"] = [_link(link) for link in host["Links"]]
    return host


def _named_mount(mount: Json, volumes: Json) -> Json:
    if mount.get("Type") == "volume" and not mount.get("Source") and mount.get("Target") in volumes:
        return {**mount, "Source": volumes[mount["Target"]]["Name"]}
    return mount


def _link(link: str) -> str:
    # Inspected as /db:/web/alias, created as db:alias.
    source, _, alias = link.partition(":")
    return f"{source.lstrip('/')}:{alias.rpartition('/')[2]}"


def _own_network(old: Json) -> str:
    """The network that the container was made in; empty when that is none of its own."""
    mode = old["HostConfig"].get("NetworkMode") or "default"
    if mode in {"host", "none"} or mode.startswith("container:") or old["Config"].get("NetworkDisabled"):
        return ""
    return "bridge" if mode == "default" else str(mode)


def _is_network(mode: str, name: str, settings: Json) -> bool:
    return mode == name or str(settings.get("NetworkID") or "").startswith(mode)


def _networks(old: Json) -> tuple[tuple[str, Json], ...]:
    mode = _own_network(old)
    if not mode:
        return ()
    joined = old["NetworkSettings"].get("Networks") or {}
    # The network that HostConfig names is joined at creation, the others before the start: up to API 1.43 creating takes one.
    first = {name for name, settings in joined.items() if _is_network(mode, name, settings)}
    return tuple((name, _endpoint(old, joined[name])) for name in sorted(joined, key=lambda name: (name not in first, name)))


def _endpoint(old: Json, settings: Json) -> Json:
    aliases = [alias for alias in settings.get("Aliases") or [] if alias != old["Id"][:_SHORT_ID]]
    kept = {name: settings[name] for name in ("Links", "DriverOpts", "GwPriority") if settings.get(name)}
    return kept | ({"Aliases": aliases} if aliases else {})
