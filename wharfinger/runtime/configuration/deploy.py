"""``deploy``: rules and targets."""

import base64
import binascii
import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.configuration.rules import read_rule
from wharfinger.runtime.configuration.texts import NAME, networks, parse_address, parse_base_url, parse_url
from wharfinger.runtime.durations import parse_duration
from wharfinger.runtime.settings import DeploySettings, DockerTarget, Secret, Source, Target, User, WebhookTarget
from wharfinger.runtime.yaml_nodes import Section

HEALTH_MAX_S: Final = 600
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+", re.ASCII)
_LATER_TARGET: Final = frozenset({"tls", "headers", "method", "network"})


def read_deploy(section: Section | None, sources: Sequence[Source], users: Sequence[User]) -> DeploySettings:
    """Rules and targets; a rule names only targets, sources and users that are there."""
    if section is None:
        return DeploySettings()
    targets_section = section.section("targets")
    targets: list[Target] = []
    known: list[str] = []
    containers: dict[tuple[str, str], str] = {}
    if targets_section is not None:
        for name in targets_section.names():
            known.append(name)
            entry = targets_section.section(name)
            if entry is None:
                targets_section.fault(name, "is empty", "give it a type: webhook or docker")
                continue
            target = _target(name, entry)
            if target is None:
                continue
            if isinstance(target, DockerTarget) and (target.host, target.container) in containers:
                # Each target's deliveries go one after the other, but those of two would replace the container at once.
                other = containers[target.host, target.container]
                entry.fault("container", f"is what target {other} replaces already", "name one target in both rules")
            elif isinstance(target, DockerTarget):
                containers[target.host, target.container] = name
            targets.append(target)
    entries = section.sections("rules")
    rules = tuple(read_rule(entry, known, sources, users) for entry in entries)
    names = [rule.name for rule in rules]
    for entry, name in zip(entries, names, strict=True):
        if name and names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two rules", "give each its own name")
    section.done()
    return DeploySettings(rules, tuple(targets))


def _target(name: str, section: Section) -> Target | None:
    if NAME.fullmatch(name) is None:
        section.faults.add(section.line, section.key, "is not 1 to 64 letters, digits, - or _", "choose a plain name")
    match section.text("type", required=True):
        case "webhook":
            return _webhook(name, section)
        case "docker":
            return _docker(name, section)
        case None:
            return None
        case ("swarm" | "kubernetes" | "github" | "gitlab" | "jenkins" | "woodpecker" | "drone") as kind:
            section.fault("type", f"{kind} is known, but not built yet", "use webhook or docker")
        case other:
            section.fault("type", f"{other!r} is no type of target", "use webhook or docker")
    return None


def _webhook(name: str, section: Section) -> WebhookTarget | None:
    url = section.expanded("url", required=True)
    if url is not None:
        try:
            parse_url(url)
        except ValueError as error:
            section.fault("url", str(error), "write https://HOST/PATH")
    secret = section.secret("secret", required=True)
    secrets = tuple(Secret(line) for line in (secret or b"").split())
    for one in secrets:
        if not _is_webhook_secret(one):
            section.fault(
                section.secret_key("secret"),
                "holds no whsec_ secret of 24 to 64 bytes in base64",
                "make one as docs/configuration.md shows",
            )
    allow = networks(section)
    section.done(_LATER_TARGET)
    return None if url is None else WebhookTarget(name, url, secrets, allow, section.line)


def _is_webhook_secret(secret: Secret) -> bool:
    try:
        kind, _, encoded = secret.reveal().partition(b"_")
        return kind == b"whsec" and 24 <= len(base64.b64decode(encoded, validate=True)) <= 64  # noqa: PLR2004 - Standard Webhooks
    except binascii.Error:
        return False


def _docker(name: str, section: Section) -> DockerTarget | None:
    default = "unix:///var/run/docker.sock"
    host = section.parsed("host", parse_engine, f"write {default} or tcp://HOST:PORT", default=default)
    if not _is_near(host):
        remedy = "use a unix socket, or a tunnel that ends on a loopback address"
        problem = "is an Engine without TLS: who reaches it is root there, and reads the registry's password on the way"
        section.warn("host", problem, remedy)
    container = section.text("container", required=True)
    if container is not None and _CONTAINER.fullmatch(container) is None:
        section.fault("container", f"{container!r} is no container's name", "write it as `docker ps` shows it")
    timeout = section.parsed("health_timeout", parse_duration, "write 60s", default=60.0)
    if timeout > HEALTH_MAX_S:
        problem = f"is above {HEALTH_MAX_S} s, for which a broken image would be kept"
        section.fault("health_timeout", problem, "write 10m or less")
    section.done(_LATER_TARGET)
    return None if container is None else DockerTarget(name, host, container, timeout, section.line)


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
