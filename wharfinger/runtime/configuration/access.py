"""What one may do: docker_auth's ``acl``; and ours around it: ``policy`` (how it is read), ``tests`` (what must be granted)."""

from dataclasses import dataclass
from typing import Final

import yaml

from wharfinger.runtime.configuration.users import read_users
from wharfinger.runtime.settings import AclRule, PolicySettings, PolicyTest, User
from wharfinger.runtime.yaml_nodes import Section
from wharfinger.wire.scope import ScopeFault, parse_scope

_TEXTS: Final = ("account", "type", "name", "service", "ip")


@dataclass(frozen=True, slots=True)
class Access:
    """What a file says of who may do what. ``users``, ``acl`` None: there is no such section.

    ``more_accounts``, ``more_rules``: other ways to authenticate and to authorise stand there too, built or not.
    """

    users: tuple[User, ...] | None
    acl: tuple[AclRule, ...] | None
    policy: PolicySettings
    tests: tuple[PolicyTest, ...]
    more_accounts: bool
    more_rules: bool


def read_access(top: Section, not_built: frozenset[str]) -> Access:
    """These parts of a file."""
    others = [name for name in ("ext_auth", "ext_authz", *not_built) if top.has(name)]
    policy = read_policy(top.section("policy"))
    return Access(
        users=read_users(top),
        acl=read_acl(top, policy),
        policy=policy,
        tests=read_tests(top),
        more_accounts=any(name.endswith("_auth") or name == "plugin_authn" for name in others),
        more_rules=any(name.startswith("acl_") or name.endswith("_authz") for name in others),
    )


def read_policy(section: Section | None) -> PolicySettings:
    """``policy``: what is asked for beyond docker_auth's way."""
    if section is None:
        return PolicySettings()
    found = PolicySettings(section.flag("union"), section.flag("double_star"), section.flag("account_lists"))
    section.done()
    return found


def read_acl(top: Section, policy: PolicySettings) -> tuple[AclRule, ...] | None:
    """The rules in their order; None when there is no list, or it is null."""
    if not top.has("acl"):
        top.node("acl")
        return None
    return tuple(_rule(entry, policy) for entry in top.sections("acl"))


def read_tests(top: Section) -> tuple[PolicyTest, ...]:
    """``tests``: requests, and what they must be granted."""
    return tuple(_test(entry) for entry in top.sections("tests"))


def _rule(section: Section, policy: PolicySettings) -> AclRule:
    match = section.section("match")
    if match is None and not isinstance(section.node("match"), yaml.MappingNode):
        section.fault("match", "is missing; docker_auth would crash", "add match:, with {} if it is meant for everybody")
    values: dict[str, str | None] = {}
    accounts = labels = None
    places: dict[str, tuple[int, int]] = {}
    if match is not None:
        accounts = _accounts(match, policy)
        values = {name: match.text(name) for name in _TEXTS if name != "account" or accounts is None}
        if (given := match.section("labels")) is not None:
            labels = {label: given.text(label) or "" for label in given.names()}
        # Not even docker_auth's leniency: a condition nobody reads makes the rule match everybody.
        match.done()
        places = {name: match.place_of(name) for name in (*_TEXTS, "labels")}
    places |= {name: section.place_of(name) for name in ("match", "actions")}
    if not section.has("actions"):
        section.node("actions")
        section.fault("actions", "is missing; docker_auth would crash", "add actions:, [] denies")
    actions = section.texts("actions")
    comment = section.text("comment", "") or ""
    section.done(ours=False)
    return AclRule(
        line=section.line, **values, labels=labels, actions=actions, comment=comment, accounts=accounts, places=places
    )


def _accounts(match: Section, policy: PolicySettings) -> tuple[str, ...] | None:
    if not isinstance(match.node("account"), yaml.SequenceNode):
        return None
    if not policy.account_lists:
        match.fault("account", "is a list, which docker_auth does not know", "ask for it: policy: {account_lists: true}")
    return match.texts("account")


def _test(section: Section) -> PolicyTest:
    texts = {
        name: section.text(name, default) or ""
        for name, default in (("account", ""), ("type", "repository"), ("service", ""), ("ip", ""))
    }
    texts["name"] = section.text("name", "", required=True) or ""
    labels = {}
    if (given := section.section("labels")) is not None:
        labels = {label: given.texts(label) for label in given.names()}
    actions, expect = section.texts("actions"), section.texts("expect")
    if not section.has("actions") or section.is_empty_list("actions"):
        section.fault("actions", "is missing or empty: a test asks for something", "write actions: [pull]")
    _can_be_asked(section, texts["type"], texts["name"], actions)
    if not section.has("expect") and not section.is_empty_list("expect"):
        section.fault("expect", "is missing", "write what must be granted: expect: [pull], or [] for nothing")
    section.done()
    return PolicyTest(section.line, **texts, labels=labels, actions=actions, expect=expect, column=section.column)


def _can_be_asked(section: Section, kind: str, name: str, actions: tuple[str, ...]) -> None:
    # What no request can ask would be tested as if one could.
    if not name or not actions:
        return  # told already
    scope = parse_scope(f"{kind}:{name}:{','.join(actions)}")
    if isinstance(scope, ScopeFault):
        section.fault("name", f"no request can ask for it: {scope.problem}", "write a type, name and actions that clients send")
    elif scope.type != kind or set(scope.actions) != set(actions):
        section.fault("actions", "are not a list of single words", "write actions: [pull, push], and a type without brackets")
