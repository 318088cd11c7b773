"""``type: docker``, one container of a Docker Engine, and ``type: swarm``, a service of a swarm."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.configuration.targets.reach import read_timeout
from wharfinger.runtime.configuration.texts import parse_address, parse_base_url
from wharfinger.runtime.durations import parse_duration
from wharfinger.runtime.settings import ROLLOUT_S, DockerTarget, SwarmTarget, UpdateOrder
from wharfinger.runtime.yaml_nodes import Section

HEALTH_MAX_S: Final = 600
_SOCKET: Final = "unix:///var/run/docker.sock"
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+", re.ASCII)
_LATER: Final = frozenset({"tls"})


def read_docker(name: str, section: Section) -> DockerTarget | None:
    """The Engine, the container, and how long it may take to become healthy."""
    host = read_engine(section)
    container = section.text("container", required=True)
    if container is not None and _CONTAINER.fullmatch(container) is None:
        section.fault("container", f"{container!r} is no container's name", "write it as `docker ps` shows it")
    timeout = section.parsed("health_timeout", parse_duration, "write 60s", default=60.0)
    if timeout > HEALTH_MAX_S:
        problem = f"is above {HEALTH_MAX_S} s, for which a broken image would be kept"
        section.fault("health_timeout", problem, "write 10m or less")
    section.done(_LATER)
    return None if container is None else DockerTarget(name, host, container, timeout, section.line)


def read_swarm(name: str, section: Section) -> SwarmTarget | None:
    """``type: swarm``: a manager, a service, and how it is updated."""
    host = read_engine(section)
    service = section.text("service", required=True)
    if service is not None and _CONTAINER.fullmatch(service) is None:
        section.fault("service", f"{service!r} is no service's name", "write it as `docker service ls` shows it")
    order = section.choice("order", UpdateOrder, UpdateOrder.START_FIRST)
    timeout_s = read_timeout(section, ROLLOUT_S)
    section.done(_LATER)
    if service is None:
        return None
    return SwarmTarget(name=name, host=host, service=service, order=order, timeout_s=timeout_s, line=section.line)


def read_engine(section: Section) -> str:
    """``host``: where an Engine is, with a warning when it is far and without TLS."""
    host = section.parsed("host", parse_engine, f"write {_SOCKET} or tcp://HOST:PORT", default=_SOCKET)
    if not _is_near(host):
        remedy = "use a unix socket, or a tunnel that ends on a loopback address"
        problem = "is an Engine without TLS: who reaches it is root there, and reads the registry's password on the way"
        section.warn("host", problem, remedy)
    return host


def parse_engine(text: str) -> str:
    """Where a Docker Engine is, ``unix:///PATH`` or ``tcp://HOST:PORT``. Raises ValueError, without the text."""
    problem = "is no unix:///PATH or tcp://HOST:PORT"
    if text.startswith("unix:///") and "\x00" not in text:
        return text
    if not text.startswith("tcp://"):
        raise ValueError(problem)
    try:
        parse_address(text.removeprefix("tcp://"))
        parse_base_url("http://" + text.removeprefix("tcp://"))
    except ValueError:
        raise ValueError(problem) from None
    return text


def _is_near(host: str) -> bool:
    name = urlsplit(host).hostname
    try:
        return name is None or name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
