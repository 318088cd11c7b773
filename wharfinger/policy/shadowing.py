"""Finds rules that an earlier one leaves nothing to do.

Tells only what is certain: every request that the later one matches, the earlier one matches too, condition by condition.
"""

from collections.abc import Sequence
from typing import Final

from wharfinger.policy.acl import Policy
from wharfinger.policy.condition import TEXT_FIELDS, Condition
from wharfinger.policy.language import EVERYTHING, Languages
from wharfinger.policy.rule import EVERYTHING as ALL_ACTIONS
from wharfinger.policy.rule import Rule
from wharfinger.policy.substitution import has_placeholder, is_field, named_groups
from wharfinger.policy.witness import witness

MAX_PAIRS: Final = 20_000
"""Pairs of rules that are compared, for a list that nobody would write by hand."""


def shadows(
    policy: Policy, languages: Languages, accounts: Sequence[str] | None = None, *, max_pairs: int = MAX_PAIRS
) -> dict[int, Rule]:
    """For each shadowed rule's index, the first rule that shadows it.

    Args:
        policy: the list. With ``union``, a rule is shadowed by an earlier one that allows the same actions or more.
        languages: automata of its patterns.
        accounts: every account there is; None: that is not known.
        max_pairs: pairs of rules that are compared; what is past them is not found.
    """
    found: dict[int, Rule] = {}
    budget = max_pairs
    for rule in policy.rules:
        request = witness(rule, languages)
        # What does not match the later rule's witness certainly does not shadow it.
        matching = policy.rules if request is None else policy.matching(request)
        earlier = [one for one in matching if one.index < rule.index][:budget]
        budget -= len(earlier)
        first = next((one for one in earlier if _leaves_nothing(policy, one, rule, languages, accounts)), None)
        if first is not None:
            found[rule.index] = first
    return found


def _leaves_nothing(policy: Policy, wide: Rule, narrow: Rule, languages: Languages, accounts: Sequence[str] | None) -> bool:
    return (not policy.options.union or _allows(wide, narrow)) and _covers(wide, narrow, languages, accounts)


def _allows(wide: Rule, narrow: Rule) -> bool:
    return wide.source.actions == ALL_ACTIONS or set(narrow.source.actions) <= set(wide.source.actions)


def _covers(wide: Rule, narrow: Rule, languages: Languages, accounts: Sequence[str] | None) -> bool:
    return (
        all(_field_covers(name, wide, narrow, languages, accounts) for name in TEXT_FIELDS)
        and all(_label_covers(one.name, wide, narrow, languages) for one in wide.labels)
        and _block_covers(wide, narrow)
    )


def _field_covers(name: str, wide: Rule, narrow: Rule, languages: Languages, accounts: Sequence[str] | None) -> bool:
    outer, inner = wide.condition(name), narrow.condition(name)
    if outer is None:
        return True
    if name == "account" and accounts is not None and outer.is_fixed() and (inner is None or inner.is_fixed()):
        return all(_fixed(outer, one) for one in accounts if inner is None or _fixed(inner, one))
    if inner is None:
        return any(languages.is_empty([EVERYTHING], [one.text]) for one in outer.patterns if one.fixed is not None)
    texts = {one.text for one in outer.patterns if _means_the_same(one.text, wide, narrow)}
    for pattern in inner.patterns:
        literal = pattern.literal()
        if pattern.text in texts or (literal is not None and _fixed(outer, literal)):
            continue
        if pattern.fixed is None or not any(
            languages.is_empty([pattern.text], [one.text]) for one in outer.patterns if one.fixed is not None
        ):
            return False
    return True


def _fixed(condition: Condition, text: str) -> bool:
    return any(one.fixed is not None and one.fixed(text) for one in condition.patterns)


def _means_the_same(text: str, wide: Rule, narrow: Rule) -> bool:
    # A capture group is that of another condition of the same rule: both rules must have the same one.
    fields = [field for field in TEXT_FIELDS for name, _ in named_groups(text) if is_field(name, field)]
    return all(_texts(wide, field) == _texts(narrow, field) for field in fields)


def _texts(rule: Rule, field: str) -> tuple[str, ...]:
    condition = rule.condition(field)
    return () if condition is None else tuple(one.text for one in condition.patterns)


def _label_covers(name: str, wide: Rule, narrow: Rule, languages: Languages) -> bool:
    outer = next(one.pattern for one in wide.labels if one.name == name)
    inner = next((one.pattern for one in narrow.labels if one.name == name), None)
    if inner is None or named_groups(outer) or named_groups(inner):
        return False
    if outer == inner:
        return True
    return not has_placeholder(outer + inner) and languages.is_empty([inner], [outer])


def _block_covers(wide: Rule, narrow: Rule) -> bool:
    if wide.block is None:
        return True
    inner = narrow.block
    # Of one family: Python has no order between the two.
    return (
        inner is not None
        and wide.block.version == inner.version
        and int(wide.block.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(wide.block.broadcast_address)
    )
