"""``deploy``: rules, and the targets that they name."""

from collections.abc import Sequence

from wharfinger.runtime.configuration.rules import read_rule
from wharfinger.runtime.configuration.targets import read_targets
from wharfinger.runtime.settings import DeploySettings, Source, User
from wharfinger.runtime.yaml_nodes import Section


def read_deploy(section: Section | None, sources: Sequence[Source], users: Sequence[User]) -> DeploySettings:
    """Rules and targets; a rule names only targets, sources and users that are there."""
    if section is None:
        return DeploySettings()
    targets, known = read_targets(section.section("targets"))
    entries = section.sections("rules")
    rules = tuple(read_rule(entry, known, sources, users) for entry in entries)
    names = [rule.name for rule in rules]
    for entry, name in zip(entries, names, strict=True):
        if name and names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two rules", "give each its own name")
    section.done()
    return DeploySettings(rules, targets)
