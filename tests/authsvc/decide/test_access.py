"""Access: each asked scope has its entry, granted or not, and says who decided."""

from authsvc.decide.access import decide_access, requests, with_answers
from authsvc.decide.credentials import Identity
from wharfinger.policy import Policy, RuleText, compile_acl
from wharfinger.wire.issuance import Credential
from wharfinger.wire.names import Account
from wharfinger.wire.scope import Scope

ZOE = Identity(Account("zoe"), Credential(kind="static", id="1"), {"team": ("core",)})
ASKED = (Scope("repository", "ubuntu", ("pull", "push")), Scope("repository", "fedora", ("pull",)))


def policy(*rules: RuleText) -> Policy:
    """A list without faults."""
    compiled = compile_acl(rules)
    assert isinstance(compiled, Policy)
    return compiled


def test_denied_is_less_access() -> None:
    """Entries stay in the request's order, also empty and repeated ones, each with its rule."""
    asked = requests(ASKED * 2, who=ZOE, service="s", address=None)
    access = decide_access(policy(RuleText(account="zoe", name="ubuntu", actions=("pull",))), asked)
    assert access.entries == (Scope("repository", "ubuntu", ("pull",)), Scope("repository", "fedora", ())) * 2
    assert (access.rules, access.deciders) == ((1, None, 1, None), ("acl", "", "acl", ""))
    assert access.granted() == (Scope("repository", "ubuntu", ("pull",)),) * 2


def test_labels_come_along() -> None:
    """The identity's labels are what rules see."""
    asked = requests(ASKED[:1], who=ZOE, service="s", address=None)
    assert decide_access(policy(RuleText(labels={"team": "core"}, actions=("pull",))), asked).granted()


def test_without_a_list_nothing_matches() -> None:
    """Only others may grant then."""
    access = decide_access(None, requests(ASKED, who=ZOE, service="s", address=None))
    assert (access.granted(), access.rules, access.deciders) == ((), (None, None), ("", ""))


def test_others_answer_where_the_list_has_no_rule() -> None:
    """Their grants stand in the entries, sorted; what nobody answered stays empty."""
    asked = requests(ASKED, who=ZOE, service="s", address=None)
    access = decide_access(policy(RuleText(name="fedora", actions=())), asked)
    found = with_answers(access, [("ext_authz", ("push", "pull", "pull")), None])
    assert found.entries == (Scope("repository", "ubuntu", ("pull", "push")), Scope("repository", "fedora", ()))
    assert (found.deciders, found.rules) == (("ext_authz", "acl"), (None, 1))
