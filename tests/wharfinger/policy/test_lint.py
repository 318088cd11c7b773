"""Looking a whole list over: everything in the file's order, and only what is certain of what stands beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import given, settings

from tests.wharfinger.policy.rules import OPTIONS, rules
from wharfinger.policy import DOCKER_AUTH, Options, Policy, RuleText, compile_acl
from wharfinger.policy.lint import Beside, lint


@dataclass
class Known:
    """A user of a file."""

    name: str
    line: int = 1
    column: int = 3
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def found(
    *texts: RuleText, users: tuple[str, ...] = ("zoe",), options: Options = DOCKER_AUTH, **beside: bool
) -> list[tuple[int, str]]:
    """Lines and problems."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    known = [Known(name) for name in users]
    return [(fault.line, fault.problem) for fault in lint(policy, Beside(known, **beside))]  # type: ignore[arg-type]  # of its fields


PULL = ("pull",)


def test_a_sound_list() -> None:
    """Nothing to say."""
    assert found(RuleText(account="zoe", name="zoe/*", actions=("*",)), RuleText(account="/.+/", actions=PULL)) == []
    assert found(users=()) == []


def test_everything_in_order() -> None:
    """By line, whatever part found it, each once."""
    problems = found(
        RuleText(line=10, account="zoey", name="*", actions=PULL),
        RuleText(line=13, account="/.+/", actions=("pull", "*")),
        RuleText(line=16, account="zoe", name="${account:1}/x", actions=PULL),
    )
    assert [line for line, _ in problems] == [10, 10, 13, 16, 16]
    assert [problem.split()[0] for _, problem in problems] == ["'zoey'", "'*'", "has", "is", "${account:1}"]


def test_shadowed_rules() -> None:
    """With its remedy; not for a rule that is for nobody, which is told already."""
    wide, narrow = RuleText(line=3, actions=PULL), RuleText(line=6, account="zoe", name="a", actions=PULL)
    assert found(wide, narrow) == [(6, "is never reached: rule 1 (line 3) matches all that it does")]
    assert found(wide, narrow, options=Options(union=True)) == [
        (6, "adds nothing: rule 1 (line 3) matches all that it does, and allows as much")
    ]
    assert [problem.split(",")[0] for _, problem in found(wide, RuleText(line=6, account="yan", actions=PULL))] == [
        "'yan' is no user of this file"
    ]


def test_other_ways_to_authenticate() -> None:
    """Then accounts that no user has may exist, and labels come from elsewhere."""
    rules = [RuleText(account="yan", actions=PULL), RuleText(name="${labels:g}/x", actions=PULL)]
    assert len(found(*rules)) == 1
    assert [problem.split()[0] for _, problem in found(*rules, more_accounts=True)] == ["${labels:g}"]


def test_other_ways_to_authorise() -> None:
    """Then a user whom no rule lets in may be let in elsewhere."""
    rule = RuleText(account="zoe", actions=PULL)
    assert [problem for _, problem in found(rule, users=("zoe", "yan"))] == [
        "gets nothing: no rule that allows something matches this user"
    ]
    assert found(rule, users=("zoe", "yan"), more_rules=True) == []


def test_names_with_a_slash_that_were_thought_of() -> None:
    """A star beside another rule for nested names of the same clients is meant."""
    star, nested = RuleText(account="zoe", name="*", actions=PULL), RuleText(account="zoe", name="*/*", actions=PULL)
    assert found(star, nested) == []
    assert len(found(star, RuleText(account="/.+/", name="*/*", actions=PULL))) == 1


def test_anonymous_clients_only_where_they_are_let_in() -> None:
    """Without a user of no name, nobody comes so."""
    rule = RuleText(actions=("push",))
    assert found(rule) == []
    assert len(found(rule, users=("zoe", ""))) == 1


@given(rules(), OPTIONS)
@settings(max_examples=100, deadline=None)
def test_no_list_makes_it_fail(texts: list[RuleText], options: Options) -> None:
    """Whatever can be loaded can be looked over."""
    policy = compile_acl(texts, options)
    assert isinstance(policy, Policy)
    for more in (False, True):
        faults = lint(policy, Beside([Known("a"), Known("a@b", labels={"g": ("*", "a")}), Known("")], more_accounts=more))
        assert list(faults) == sorted(set(faults))
        assert all(fault.problem and fault.remedy and fault.key for fault in faults)
