"""Decides how a container is made anew from another image: what is carried over, and what is refused rather than lost.

Source: Docker Engine API, ``GET /containers/{id}/json`` and ``POST /containers/create``. Only what the operator set is carried
over: whatever equals the old image's defaults is left out, so that the new image's own defaults hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

LABEL_DELIVERY: Final = "wharfinger.delivery"
LABEL_DIGEST: Final = "wharfinger.digest"
LABEL_REPLACES: Final = "wharfinger.replaces"
OURS: Final = (LABEL_DELIVERY, LABEL_DIGEST, LABEL_REPLACES)
_SHORT_ID: Final = 12
_MANAGED: Final = {"com.docker.compose.project": "Docker Compose", "com.docker.swarm.service.id": "Docker Swarm"}
_DEFAULTED: Final = ("User", "WorkingDir", "StopSignal", "Healthcheck", "Shell", "OnBuild")
_KEPT: Final = ("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr", "Domainname", "StopTimeout")


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


def plan_replacement(old: Json, old_image: Json, others: Sequence[Json], new: NewImage) -> Replacement | CannotReplace:
    """Plan a new container from an old one.

    Args:
        old: inspection of the container.
        old_image: inspection of the image it was made from.
        others: the Engine's list of all containers.
        new: what to run instead.
    """
    refusal = _refusal(old, others)
    if refusal:
        return CannotReplace(refusal)
    config, defaults = old["Config"], old_image.get("Config") or {}
    body: dict[str, Any] = {name: config[name] for name in _KEPT if config.get(name)}
    body |= {name: config[name] for name in _DEFAULTED if config.get(name) and config[name] != defaults.get(name)}
    body |= _command(config, defaults)
    body["Env"] = [one for one in config.get("Env") or [] if one not in (defaults.get("Env") or [])]
    body["Labels"] = _without(config.get("Labels"), defaults.get("Labels"), OURS) | {
        LABEL_DELIVERY: new.delivery,
        LABEL_DIGEST: new.digest,
        LABEL_REPLACES: old["Id"],
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


def runs(container: Json, image: Json, reference: str) -> bool:
    """Whether a container runs an image by its digest already."""
    wanted = reference in (image.get("RepoDigests") or [])
    return bool(container["State"].get("Running")) and (wanted or container["Config"].get("Image") == reference)


def _refusal(old: Json, others: Sequence[Json]) -> str:
    host, labels = old["HostConfig"], old["Config"].get("Labels") or {}
    if host.get("AutoRemove"):
        return "the container is removed when it stops (--rm), so it could not be brought back"
    for label, manager in _MANAGED.items():
        if label in labels:
            return f"the container belongs to {manager}, which would undo what is done here; deploy by it instead"
    for name, settings in (old["NetworkSettings"].get("Networks") or {}).items():
        fixed = settings.get("IPAMConfig") or {}
        if fixed.get("IPv4Address") or fixed.get("IPv6Address"):
            return f"the container has a fixed address in network {name}, which two containers cannot hold; not carried over"
    for other in others:
        mode = (other.get("HostConfig") or {}).get("NetworkMode", "")
        if mode in (f"container:{old['Id']}", f"container:{old['Name'].lstrip('/')}"):
            name = (other.get("Names") or [other["Id"]])[0].lstrip("/")
            return f"container {name} shares this one's network, and would lose it: not carried over yet"
    return ""


def _command(config: Json, defaults: Json) -> dict[str, Any]:
    # A command is an argument of its entrypoint: it is the image's own only if the entrypoint is too.
    entrypoint_is_default = config.get("Entrypoint") == defaults.get("Entrypoint")
    found: dict[str, Any] = {}
    if not entrypoint_is_default and config.get("Entrypoint"):
        found["Entrypoint"] = config["Entrypoint"]
    if config.get("Cmd") and not (entrypoint_is_default and config["Cmd"] == defaults.get("Cmd")):
        found["Cmd"] = config["Cmd"]
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
    named = {bind.split(":")[0] for bind in host.get("Binds") or []}
    named |= {mount.get("Source") for mount in host.get("Mounts") or []}
    places = {mount.get("Target") for mount in host.get("Mounts") or []}
    anonymous = [
        f"{mount['Name']}:{mount['Destination']}{'' if mount.get('RW', True) else ':ro'}"
        for mount in old.get("Mounts") or []
        if mount.get("Type") == "volume" and mount.get("Name") not in named and mount.get("Destination") not in places
    ]
    host["Binds"] = [*(host.get("Binds") or []), *anonymous]
    if host.get("Links"):
        host["Links"] = [_link(link) for link in host["Links"]]
    return host


def _link(link: str) -> str:
    # Inspected as /db:/web/alias, created as db:alias.
    source, _, alias = link.partition(":")
    return f"{source.lstrip('/')}:{alias.rpartition('/')[2]}"


def _networks(old: Json) -> tuple[tuple[str, Json], ...]:
    mode = old["HostConfig"].get("NetworkMode") or ""
    if mode in {"host", "none"} or mode.startswith("container:"):
        return ()
    found = {name: _endpoint(old, settings) for name, settings in (old["NetworkSettings"].get("Networks") or {}).items()}
    # The network that HostConfig names is joined at creation, the others before the start.
    first = "bridge" if mode in {"default", ""} else mode
    return tuple(sorted(found.items(), key=lambda one: (one[0] != first, one[0])))


def _endpoint(old: Json, settings: Json) -> Json:
    aliases = [alias for alias in settings.get("Aliases") or [] if alias != old["Id"][:_SHORT_ID]]
    kept = {name: settings[name] for name in ("Links", "DriverOpts", "GwPriority") if settings.get(name)}
    return kept | ({"Aliases": aliases} if aliases else {})
