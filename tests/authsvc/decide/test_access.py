"""Access: each asked scope has its entry, granted or not."""

from authsvc.decide.access import decide_access
from wharfinger.policy import Policy, RuleText, compile_acl
from wharfinger.wire.scope import Scope


def test_denied_is_less_access() -> None:
    """Entries stay in the request's order, also empty and repeated ones, each with its rule."""
    policy = compile_acl([RuleText(account="zoe", name="ubuntu", actions=("pull",))])
    assert isinstance(policy, Policy)
    asked = (Scope("repository", "ubuntu", ("pull", "push")), Scope("repository", "fedora", ("pull",)))
    access = decide_access(policy, asked * 2, account="zoe", service="s", address=None)
    assert access.entries == (Scope("repository", "ubuntu", ("pull",)), Scope("repository", "fedora", ())) * 2
    assert access.rules == (1, None, 1, None)
    assert access.granted() == (Scope("repository", "ubuntu", ("pull",)),) * 2
