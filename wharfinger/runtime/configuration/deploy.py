"""``deploy``: rules, and the targets that they name."""

from typing import Final

from wharfinger.runtime.configuration.targets import read_targets
from wharfinger.runtime.settings import DeploySettings, Match, Rule
from wharfinger.runtime.yaml_nodes import Section

RESERVED: Final = "alarm"
_LATER_RULE: Final = frozenset({"debounce", "approvals", "window", "cooldown", "semver"})


def read_deploy(section: Section | None) -> DeploySettings:
    """Rules and targets; a rule names only targets that are there."""
    if section is None:
        return DeploySettings()
    targets, known = read_targets(section.section("targets"))
    entries = [Section(node, key, section.faults, section.environ, section.folder) for key, node in section.items("rules")]
    rules = tuple(_deploy_rule(entry, known) for entry in entries)
    names = [rule.name for rule in rules]
    for entry, name in zip(entries, names, strict=True):
        if name and names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two rules", "give each its own name")
    section.done()
    return DeploySettings(rules, targets)


def _deploy_rule(section: Section, known: list[str]) -> Rule:
    name = section.text("name", required=True) or ""
    if name == RESERVED:
        section.fault("name", f"{name} is what deliveries of alarms are called", "choose another name")
    match = section.section("match")
    repository = tag = None
    if match is not None:
        repository, tag = match.text("repository"), match.text("tag")
        if tag is not None and tag.startswith("semver:"):
            match.fault("tag", "semver: is known, but not built yet", "use a glob, like v1.*")
        match.done()
    require = section.text("require", "exact") or "exact"
    if require != "exact":
        section.fault("require", f"{require!r} is not built yet", "write exact, or leave it out")
    targets = section.texts("targets")
    if not section.has("targets") or section.is_empty_list("targets"):
        section.fault("targets", "is missing or empty", "name the targets to deploy to")
    for target in targets:
        if target not in known:
            section.fault("targets", f"there is no target {target!r} in deploy.targets", "add it there, or correct the name")
    section.done(_LATER_RULE)
    return Rule(name, Match(repository, tag), require, targets, section.line)
