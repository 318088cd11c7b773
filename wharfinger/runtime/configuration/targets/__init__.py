"""``deploy.targets``: a table of kinds, each with its reader in a file of its own; other packages add kinds of theirs."""

from collections.abc import Callable, Mapping
from typing import Final

from wharfinger.runtime.configuration.targets.ci import (
    read_argocd,
    read_drone,
    read_flux,
    read_github,
    read_gitlab,
    read_jenkins,
    read_woodpecker,
)
from wharfinger.runtime.configuration.targets.command import read_command
from wharfinger.runtime.configuration.targets.docker import read_docker, read_swarm
from wharfinger.runtime.configuration.targets.foreign import read_foreign
from wharfinger.runtime.configuration.targets.kubernetes import read_kubernetes
from wharfinger.runtime.configuration.targets.message import read_message
from wharfinger.runtime.configuration.targets.webhook import read_webhook
from wharfinger.runtime.configuration.texts import NAME
from wharfinger.runtime.settings import DockerTarget, KubernetesTarget, SwarmTarget, Target
from wharfinger.runtime.yaml_nodes import Section

KINDS: Final[Mapping[str, Callable[[str, Section], Target | None]]] = {
    "webhook": read_webhook,
    "docker": read_docker,
    "github": read_github,
    "gitlab": read_gitlab,
    "jenkins": read_jenkins,
    "woodpecker": read_woodpecker,
    "drone": read_drone,
    "argocd": read_argocd,
    "flux": read_flux,
    "kubernetes": read_kubernetes,
    "swarm": read_swarm,
    "command": read_command,
    "message": read_message,
}
"""What stands behind ``type:``."""


def read_targets(section: Section | None) -> tuple[tuple[Target, ...], list[str]]:
    """The targets that can be read, and the names of all."""
    if section is None:
        return (), []
    names = list(section.names())
    targets: list[Target] = []
    taken: dict[tuple[str, ...], str] = {}
    for name in names:
        entry = section.section(name)
        if entry is None:
            section.fault(name, "is empty", f"give it a type: {_kinds()}")
            continue
        target = _target(name, entry)
        if target is None:
            continue
        key, place = _place(target)
        if place and place in taken:
            # Each target's deliveries go one after the other, but those of two would replace the same thing at once.
            entry.fault(key, f"is what target {taken[place]} replaces already", "name one target in both rules")
        taken.setdefault(place, name)
        targets.append(target)
    return tuple(targets), names


def _target(name: str, section: Section) -> Target | None:
    if NAME.fullmatch(name) is None:
        section.faults.add(section.line, section.key, "is not 1 to 64 letters, digits, - or _", "choose a plain name")
    kind = section.text("type", required=True)
    if kind is None:
        return None
    read = KINDS.get(kind)
    return read_foreign(name, kind, section, _kinds()) if read is None else read(name, section)


def _kinds() -> str:
    *others, last = KINDS
    return f"{', '.join(others)} or {last}"


def _place(target: Target) -> tuple[str, tuple[str, ...]]:
    """What a target replaces, with the key that names it; empty for one that replaces nothing."""
    match target:
        case DockerTarget(_, host, container):
            return "container", ("docker", host, container)
        case SwarmTarget():
            return "service", ("swarm", target.host, target.service)
        case KubernetesTarget():
            one = target
            where = (str(one.kubeconfig), one.context, one.kind.value, one.namespace, one.workload)
            return "workload", ("kubernetes", *where)
        case _:
            return "", ()
