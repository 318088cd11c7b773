"""``deploy.rules``: which pushes go to which targets, and what must hold before. Whether a pattern is one, ``check`` sees."""

import re
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from wharfinger.runtime.durations import parse_age
from wharfinger.runtime.settings import APPROVE_WITHIN_S, Approvals, Match, Require, Rule, Source, User, Window
from wharfinger.runtime.yaml_nodes import Section

RESERVED: Final = "alarm"
"""A rule's name that the ledger needs for itself."""
DEBOUNCE_MAX_S: Final = 3_600.0
"""What is pushed more often would never be deployed; longer is what a cool-down is for."""
DAY_MIN: Final = 1_440
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_WRITE_AGE: Final = "write 10m, 2h or 1d"


def read_rule(section: Section, targets: Sequence[str], sources: Sequence[Source], users: Sequence[User]) -> Rule:
    """One rule. It names only targets, sources and users that are there."""
    name = section.text("name", required=True) or ""
    if name == RESERVED:
        section.fault("name", f"{name} is what deliveries of alarms are called", "choose another name")
    match = _match(section, sources)
    require = section.choice("require", Require, Require.EXACT)
    named = section.texts("targets")
    if not section.has("targets") or section.is_empty_list("targets"):
        section.fault("targets", "is missing or empty", "name the targets to deploy to")
    for target in named:
        if target not in targets:
            section.fault("targets", f"there is no target {target!r} in deploy.targets", "add it there, or correct the name")
    debounce_s = section.parsed("debounce", parse_age, "write 2s", default=0.0)
    if debounce_s > DEBOUNCE_MAX_S:
        section.fault("debounce", "is above an hour", "write a cooldown instead")
    rule = Rule(
        name,
        match,
        require,
        named,
        section.line,
        pushers=several(section, "pushers"),
        forward_only=section.flag("forward_only"),
        cooldown_s=section.parsed("cooldown", parse_age, _WRITE_AGE, default=0.0),
        windows=tuple(filter(None, map(_window, section.sections("windows")))),
        debounce_s=debounce_s,
        approvals=_approvals(section, users),
    )
    section.done()
    return rule


def several(section: Section, name: str) -> tuple[str, ...]:
    """A list of texts, or one alone; a fault when it is there and holds none: it would be taken for no condition at all."""
    if section.has(name) and section.is_text(name):
        return (section.text(name) or "",)
    if section.is_empty_list(name):
        section.fault(name, "is an empty list, which nothing is in", "leave it out for any")
    return section.texts(name)


def _match(section: Section, sources: Sequence[Source]) -> Match:
    match = section.section("match")
    names = [source.name for source in sources]
    registry: tuple[str, ...] = ()
    if match is not None:
        registry = several(match, "registry")
        for name in registry:
            if name not in names:
                match.fault("registry", f"there is no source {name!r} in notifier.sources", "write the name of one")
    if not registry and len(names) > 1:
        # Else a push to the least of them, by a token of its own service, starts what was meant for another.
        problem = f"names no registry, and there are {len(names)}: a push to any of them would start it"
        section.fault("match", problem, f"add registry: [{', '.join(names)}], or only those that are meant")
    if match is None:
        return Match()
    found = Match(
        match.text("repository"),
        match.text("tag"),
        registry,
        account=several(match, "account"),
        credential=several(match, "credential"),
        media_type=several(match, "media_type"),
        prerelease=match.flag("prerelease"),
    )
    if match.has("prerelease") and not (found.tag or "").startswith("semver:"):
        match.fault("prerelease", "is for a range of versions", "write tag: 'semver:…', or leave it out")
    match.done()
    return found


def _window(section: Section) -> Window | None:
    days = [parsed for text in several(section, "days") if (parsed := _parse_days(section, text))]
    start, end = section.parsed("hours", _parse_hours, 'write "09:00-17:00", in quotes', default=(0, DAY_MIN))
    zone = section.parsed("zone", _parse_zone, "write UTC, or a place as in Europe/Berlin", default=ZoneInfo("UTC"))
    section.done()
    return Window(frozenset().union(*days) if section.has("days") else frozenset(range(7)), start, end, zone)


def _parse_days(section: Section, text: str) -> frozenset[int]:
    first, _, last = text.partition("-")
    if first not in _DAYS or (last or first) not in _DAYS:
        section.fault("days", f"{text!r} is no day", "write mon, or mon-fri")
        return frozenset()
    start, end = _DAYS.index(first), _DAYS.index(last or first)
    return frozenset((start + one) % 7 for one in range((end - start) % 7 + 1))


def _parse_hours(text: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of the day from which to which")
    start = int(found[1]) * 60 + int(found[2])
    end = DAY_MIN if found[3] is None else int(found[3]) * 60 + int(found[4])
    if start == end:
        raise ValueError(f"{text!r} ends when it begins")
    return start, end


def _parse_zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{text!r} is no time zone that this machine knows") from None


def _approvals(section: Section, users: Sequence[User]) -> Approvals | None:
    needed = section.number("approvals") or 0
    approvers = tuple(dict.fromkeys(several(section, "approvers")))
    within_s = section.parsed("approve_within", parse_age, _WRITE_AGE, default=APPROVE_WITHIN_S)
    four_eyes = section.flag("four_eyes")
    if needed < 0:
        section.fault("approvals", "is below 0", "write how many must approve")
    if needed <= 0:
        for name in ("approvers", "approve_within", "four_eyes"):
            if section.has(name):
                section.fault(name, "is for approvals, and none are asked for", "write approvals: 1, or leave it out")
        return None
    if not within_s:
        section.fault("approve_within", "is no time at all", _WRITE_AGE)
    known = {user.name for user in users if user.name and user.password_hash is not None}
    for name in approvers:
        if name not in known:
            section.fault(
                "approvers", f"there is no user {name!r} with a password in users", "who approves must prove who it is"
            )
    if len(approvers) < needed:
        section.fault("approvers", f"are {len(approvers)}, but {needed} must approve", "name more of them, or ask for fewer")
    return Approvals(needed, approvers, within_s, four_eyes)
