"""Comparing two lists: who gains and who loses, shown by witnesses, among them what only one of two patterns matches."""

import pytest
from hypothesis import given, settings

from tests.wharfinger.policy.rules import OPTIONS, rules
from wharfinger.policy import DOCKER_AUTH, Options, Policy, RuleText, compile_acl
from wharfinger.policy.comparison import Change, Comparison, Side, compare

Labels = dict[str, tuple[str, ...]]


def side(*texts: RuleText, users: dict[str, Labels] | None = None, more: bool = False, options: Options = DOCKER_AUTH) -> Side:
    """One file, with zoe as its only user unless it says otherwise."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    return Side(policy, {"zoe": {}} if users is None else users, more)


def changed(old: Side, new: Side) -> tuple[set[tuple[str, str, tuple[str, ...]]], set[tuple[str, str, tuple[str, ...]]]]:
    """Gains and losses by account, name and actions."""
    found = compare(old, new)
    return tuple({(one.account, one.name, one.actions) for one in changes} for changes in (found.gains, found.losses))  # type: ignore[return-value]  # of two


PULL, PUSH = ("pull",), ("push",)
ALL = ("*", "delete", "pull", "push")


def test_nothing_changed() -> None:
    """The same list, another order of what does not meet, a pattern written otherwise."""
    one, two = RuleText(account="zoe", name="a", actions=PULL), RuleText(account="zoe", name="b", actions=PUSH)
    for old, new in (
        ([one, two], [one, two]),
        ([one, two], [two, one]),
        ([RuleText(name="a", actions=PULL)], [RuleText(name="/^a$/", actions=PULL)]),
    ):
        found = compare(side(*old), side(*new))
        assert (found.gains, found.losses, found.left_out) == ((), (), 0)
        assert found.accounts > 0
        assert found.requests > found.accounts


def test_a_slip_that_is_corrected() -> None:
    """Who was meant gains what the rule says; who is no user of either file loses it, and that is marked."""
    old = side(
        RuleText(line=1, account="hussien", name="ubuntu", actions=("*",)),
        RuleText(line=2, account="/.+/", actions=PULL),
        users={"hussein": {}},
    )
    new = side(
        RuleText(line=1, account="hussein", name="ubuntu", actions=("*",)),
        RuleText(line=2, account="/.+/", actions=PULL),
        users={"hussein": {}},
    )
    found = compare(old, new)
    (gain,), (loss,) = found.gains, found.losses
    assert gain == Change(
        "hussein", "repository", "ubuntu", None, None, ("*", "delete", "push"), known=True, old=None, new=None
    )
    assert (gain.old and gain.old.index, gain.new and gain.new.index) == (2, 1)
    assert (loss.account, loss.known) == ("hussien", False)


@pytest.mark.parametrize(
    ("old", "new", "gain", "loss"),
    [
        ({"name": "a"}, {"name": "b"}, "b", "a"),
        ({"name": "shop/*"}, {"name": "shop/[a-c]*"}, None, "shop/d"),
        ({"name": "/^team-[a-z]+$/"}, {"name": "/^team-[a-z0-9]+$/"}, "team-0", None),
        ({"name": "shop/*"}, {"name": "shop*/*"}, "shopa/a", None),
        ({"name": "${account}/*"}, {"name": "${account}/app"}, None, "zoe/a"),
        ({"name": "*"}, {}, "unlisted/nested", None),
        ({"name": "/^(?:)a/"}, {"name": "/^ab/"}, None, "a"),
    ],
)
def test_patterns_that_differ(old: dict[str, str], new: dict[str, str], gain: str | None, loss: str | None) -> None:
    """A witness is found for each way in which they do, however narrow."""
    gains, losses = changed(side(RuleText(**old, actions=PULL)), side(RuleText(**new, actions=PULL)))  # type: ignore[arg-type]  # of its fields
    assert (bool(gains), bool(losses)) == (gain is not None, loss is not None)
    assert gain is None or ("zoe", gain, PULL) in gains
    assert loss is None or ("zoe", loss, PULL) in losses


def test_users_that_come_and_go() -> None:
    """Who is no user any more has lost everything, although the list is the same; others by labels."""
    rules = [RuleText(account="/.+/", name="a", actions=PULL), RuleText(labels={"team": "core"}, name="b", actions=PUSH)]
    old, new = side(*rules, users={"ann": {}, "zoe": {}}), side(*rules, users={"bob": {}, "zoe": {"team": ("core",)}})
    gains, losses = changed(old, new)
    assert gains == {("bob", "a", PULL), ("zoe", "b", PUSH)}
    assert losses == {("ann", "a", PULL)}


def test_the_anonymous_client() -> None:
    """It is one more account: let in where there is a user without a name."""
    rule = RuleText(account="*", name="a", actions=PULL)
    gains, losses = changed(side(rule), side(rule, users={"zoe": {}, "": {}}))
    assert (gains, losses) == ({("", "a", PULL)}, set())


def test_other_ways_to_authenticate() -> None:
    """Then anybody may come: an account nobody wrote, and somebody with the labels that a rule asks for."""
    new = [RuleText(account="/^ci-/", name="a", actions=PULL), RuleText(labels={"team": "core"}, name="b", actions=PUSH)]
    gains, _ = changed(side(more=True), side(*new, more=True))
    assert gains == {("ci-", "a", PULL), ("unlisted", "b", PUSH)}
    gains, losses = changed(side(RuleText(name="a", actions=PULL), users={}, more=True), side(RuleText(name="a", actions=PULL)))
    assert gains == set()
    assert {account for account, _, _ in losses} == {"", "unlisted"}


def test_addresses_services_and_types() -> None:
    """Where it depends on them, they are told; else not."""
    old = side(RuleText(name="a", ip="10.0.0.0/8", actions=PULL), RuleText(name="a", service="s", actions=PULL))
    new = side(
        RuleText(name="a", ip="10.0.0.0/9", actions=PULL),
        RuleText(name="a", service="s", actions=PULL),
        RuleText(type="registry", name="catalog", actions=("*",)),
    )
    found = compare(old, new)
    assert {(one.service, one.ip) for one in found.losses} == {("", "10.255.255.255")}
    assert {(one.type, one.name, one.actions, one.service, one.ip) for one in found.gains} == {
        ("registry", "catalog", ALL, None, None)
    }


def test_actions_of_ones_own() -> None:
    """Every action that stands in a file is asked for."""
    gains, _ = changed(side(), side(RuleText(account="zoe", name="a", actions=("scan",))))
    assert gains == {("zoe", "a", ("scan",))}


def test_patterns_that_cannot_be_told_apart() -> None:
    """Where a search for a difference is too long, the plain witnesses are left."""
    old, new = (
        side(RuleText(name="/^(a|b)*a(a|b){12}$/", actions=PULL)),
        side(RuleText(name="/^(a|b)*a(a|b){11}$/", actions=PULL)),
    )
    gains, _ = changed(old, new)
    assert ("zoe", "a" * 12, PULL) in gains


def test_how_a_list_is_read() -> None:
    """The same rules under another option."""
    rules = [RuleText(name="a/**", actions=PULL), RuleText(actions=PUSH)]
    gains, losses = changed(side(*rules), side(*rules, options=Options(union=True)))
    assert {actions for _, _, actions in gains} == {PUSH}
    assert losses == set()
    gains, losses = changed(side(*rules), side(*rules, options=Options(double_star=True)))
    assert ("zoe", "a/a/a", PULL) in gains
    assert ("zoe", "a/a/a", PUSH) in losses


def test_no_list_at_all() -> None:
    """A file without one gives nothing by it."""
    rule = RuleText(account="zoe", name="a", actions=PULL)
    assert changed(Side(None, {"zoe": {}}), side(rule)) == ({("zoe", "a", PULL)}, set())
    assert compare(Side(None, {}), Side(None, {})).gains == ()


def test_a_name_that_somebody_took() -> None:
    """The account that stands for all others is none that is written somewhere."""
    found = compare(
        side(users={"unlisted": {}}),
        side(
            RuleText(account="unlisted1", actions=PULL),
            RuleText(account="/^unlisted2/", name="a", actions=PULL),
            users={"unlisted": {}},
        ),
    )
    assert {one.account for one in found.gains} == {"unlisted1", "unlisted2"}


def test_too_many_requests() -> None:
    """What is left out is counted."""
    old, new = side(), side(RuleText(name="a", actions=PULL))
    whole, part = compare(old, new), compare(old, new, max_requests=3)
    assert (part.requests, part.left_out) == (3, whole.requests - 3)


@given(rules(), rules(), OPTIONS, OPTIONS)
@settings(max_examples=30, deadline=None)
def test_what_is_told_is_so(one: list[RuleText], other: list[RuleText], before: Options, after: Options) -> None:
    """Each gain is a loss the other way round, and a list compared with itself differs in nothing."""
    users: dict[str, Labels] = {"a": {}, "b": {"g": ("a",)}, "": {}}
    old, new = side(*one, users=users, options=before), side(*other, users=users, options=after)
    there, back = compare(old, new), compare(new, old)

    def told(found: Comparison) -> tuple[set[tuple[str, str, str, tuple[str, ...]]], ...]:
        return tuple({(x.account, x.type, x.name, x.actions) for x in changes} for changes in (found.gains, found.losses))

    assert told(there) == told(back)[::-1]
    assert compare(old, old).gains == compare(new, new).losses == ()
