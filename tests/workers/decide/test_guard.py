"""Whether a claimed delivery may be sent: what each guard says, which says no first, and until when is waited."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from wharfinger.ledger.values import NEVER, Around, Claim, Decision, DeliveryState, Said, Standing, Vote
from wharfinger.runtime.settings import Approvals, Match, Require, Rule, Window
from wharfinger.wire.names import DeliveryId
from workers.decide.guard import (
    SETTLING_MS,
    Go,
    LookAgain,
    Ruling,
    Stop,
    Wait,
    after_looking,
    after_the_tag,
    around,
    before_looking,
)
from workers.decide.rules import CompiledRule

NOW = 1_795_477_900_000
CLAIM = Claim(
    id=DeliveryId("dlv_1"), fence=1, attempt=1, created_at=NOW, rule="r", target="t", seq=5, source="main", repository="a",
    tag="v1.9", digest="sha256:one", media_type="m", event_id="e", verdict="exact", account="zoe", jti="j", occurred_at=NOW,
)  # fmt: skip
CLEAR = Standing(None, overtaken=False, last_delivered=None)
RULE = Rule("r", Match(), Require.EXACT, ("t",), 1)
FORWARD = replace(RULE, forward_only=True)
NEWEST = replace(RULE, match=Match(tag="newest"))
OF_CI = replace(RULE, pushers=("ci-*", "zoe"))
GO, WAIT, STOP = Said.GO, Said.WAIT, Said.STOP


def said(ruling: Ruling) -> list[tuple[str, Said, str]]:
    """What each guard said."""
    return [(one.guard, one.said, one.why) for one in ruling.decisions]


def last(tag: str, *, seq: int = 4) -> Standing:
    """Something else was delivered last."""
    return replace(CLEAR, last_delivered="sha256:two", last_tag=tag, last_seq=seq)


BEFORE = [
    (RULE, CLAIM, CLEAR, Go(), [("attribution", GO, "exact"), ("order", GO, "no later push of it is known")]),
    *[
        (RULE, replace(CLAIM, verdict=verdict), CLEAR, Stop(DeliveryState.REFUSED, why), [("attribution", STOP, why)])
        for verdict in ("forged", "inferred", "unattributed")
        for why in (f"the push is not tied to a token: {verdict}",)
    ],
    (replace(RULE, require=Require.INFERRED), replace(CLAIM, verdict="inferred"), CLEAR, Go(), [("attribution", GO, "inferred"), ("order", GO, "no later push of it is known")]),
    (OF_CI, CLAIM, CLEAR, Go(), [("attribution", GO, "exact"), ("pusher", GO, "pushed by zoe"), ("order", GO, "no later push of it is known")]),
    *[
        (replace(OF_CI, require=Require.UNATTRIBUTED), replace(CLAIM, account=account, verdict=verdict), CLEAR, Stop(DeliveryState.REFUSED, why), [("attribution", GO, verdict), ("pusher", STOP, why)])
        for account, verdict, why in (
            ("yan", "exact", "pushed by yan, who is none of the rule's pushers"),
            ("", "exact", "nobody is known to have pushed it, and the rule names its pushers"),
            ("zoe", "unattributed", "nobody is known to have pushed it, and the rule names its pushers"),
        )
    ],
    *[
        (rule, CLAIM, standing, Stop(DeliveryState.SUPERSEDED, why), [("attribution", GO, "exact"), ("order", STOP, why)])
        for rule, standing, why in (
            (RULE, replace(CLEAR, later_digest="sha256:two", later_tag="v1.9"), "v1.9 was pushed again, as sha256:two"),
            (NEWEST, replace(CLEAR, later_digest="sha256:two", later_tag="v0"), "a was pushed again, as v0 sha256:two"),
            (RULE, replace(CLEAR, overtaken=True), "a later push was delivered to this target already"),
        )
    ],
    # forward_only: versions as versions; what is none by when it was pushed.
    *[
        (FORWARD, replace(CLAIM, tag=tag), last(before, seq=seq), Stop(DeliveryState.REFUSED, why) if back else Go(), [
            ("attribution", GO, "exact"), ("order", GO, "no later push of it is known"), ("forward_only", STOP if back else GO, why),
        ])
        for tag, before, seq, back in (
            ("v1.9", "v1.10", 4, True), ("v1.10", "v1.9", 9, False), ("v1.9", "1.9.0", 9, False), ("v1.9-rc", "v1.9", 4, True), ("main", "v1.9", 4, False),
            ("main", "v1.9", 9, True), ("v1.9", "main", 4, False), ("v1.9", "main", 9, True),
        )
        for why in (f"{tag} {'would go back from' if back else 'is not older than'} {before}, which was delivered last",)
    ],
    (FORWARD, CLAIM, CLEAR, Go(), [("attribution", GO, "exact"), ("order", GO, "no later push of it is known")]),
    (RULE, CLAIM, last("v1.10"), Go(), [("attribution", GO, "exact"), ("order", GO, "no later push of it is known")]),
    (RULE, CLAIM, replace(CLEAR, paused="paused by zoe: x"), Wait("paused by zoe: x", NEVER), [
        ("attribution", GO, "exact"), ("order", GO, "no later push of it is known"), ("pause", WAIT, "paused by zoe: x"),
    ]),
    # A pause refuses nothing, and keeps nothing alive either.
    (RULE, CLAIM, replace(CLEAR, paused="p", overtaken=True), Stop(DeliveryState.SUPERSEDED, "a later push was delivered to this target already"), [
        ("attribution", GO, "exact"), ("order", STOP, "a later push was delivered to this target already"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "claim", "standing", "step", "decisions"), BEFORE)
def test_before_looking(
    rule: Rule, claim: Claim, standing: Standing, step: Go | Stop | Wait, decisions: list[tuple[str, Said, str]]
) -> None:
    """What the ledger alone can tell, in its order: a no ends it."""
    ruling = before_looking(claim, CompiledRule(rule), standing)
    assert (ruling.step, said(ruling)) == (step, decisions)


@pytest.mark.parametrize(
    ("digest", "now_ms", "step"),
    [
        ("sha256:one", NOW, Go()),
        (None, NOW + SETTLING_MS - 1, LookAgain("the registry has no tag v1.9")),
        ("sha256:two", NOW, LookAgain("v1.9 is sha256:two in the registry")),
        (None, NOW + SETTLING_MS, Stop(DeliveryState.TAG_MISSING, "the registry has no tag v1.9")),
        ("sha256:two", NOW + SETTLING_MS, Stop(DeliveryState.SUPERSEDED, "v1.9 is sha256:two in the registry")),
    ],
)
def test_after_looking(digest: str | None, now_ms: int, step: Go | LookAgain | Stop) -> None:
    """The tag may be on its way for ten seconds."""
    ruling = after_looking(CLAIM, digest, now_ms=now_ms)
    assert ruling.step == step
    word = {Go: GO, LookAgain: WAIT, Stop: STOP}[type(step)]
    why = "v1.9 is this digest in the registry" if isinstance(step, Go) else step.reason
    assert ruling.decisions == (Decision("tag", word, why),)


NIGHT = Window(frozenset(range(7)), 0, 60, ZoneInfo("UTC"))
"""It opens at midnight, eight minutes and twenty seconds after NOW."""
DAY = replace(NIGHT, end_min=1_440)
MIDNIGHT = NOW + 500_000
COOL = replace(RULE, cooldown_s=60.0)
APPROVED = replace(RULE, approvals=Approvals(2, ("yan", "zoe", "kim"), 3_600.0))
EYES = replace(RULE, approvals=Approvals(1, ("yan", "zoe"), 3_600.0, four_eyes=True))
BAD = replace(CLEAR, bad="the digest is marked as bad everywhere: x")
SAME = replace(CLEAR, last_delivered="sha256:one")


def votes(*accounts: str, at: int = NOW, against: str = "") -> Standing:
    """Some approve, and perhaps somebody does not."""
    found = [Vote(account, True, "", at) for account in accounts]
    return replace(CLEAR, votes=(*found, *([Vote(against, False, "no", at)] if against else [])))


AFTER = [
    (RULE, CLAIM, CLEAR, NOW, Go(), []),
    (RULE, CLAIM, BAD, NOW, Stop(DeliveryState.REFUSED, BAD.bad), [("digest", STOP, BAD.bad)]),
    (RULE, CLAIM, replace(BAD, last_delivered="sha256:one"), NOW, Stop(DeliveryState.REFUSED, BAD.bad), [("digest", STOP, BAD.bad)]),
    # What runs already waits for nobody.
    (APPROVED, CLAIM, SAME, NOW, Stop(DeliveryState.UNCHANGED, "this digest was the last one delivered"), [("digest", STOP, "this digest was the last one delivered")]),
    (COOL, CLAIM, CLEAR, NOW + 59_999, Wait("cooldown until 2026-11-23 23:52:40", NOW + 60_000), [("cooldown", WAIT, "cooldown until 2026-11-23 23:52:40")]),
    (COOL, CLAIM, CLEAR, NOW + 60_000, Go(), [("cooldown", GO, "cooldown of 1m is over")]),
    (replace(RULE, debounce_s=2.5), CLAIM, CLEAR, NOW, Wait("debounce until 2026-11-23 23:51:42", NOW + 2_500), [("debounce", WAIT, "debounce until 2026-11-23 23:51:42")]),
    (replace(RULE, debounce_s=2.5), CLAIM, CLEAR, NOW + 2_500, Go(), [("debounce", GO, "debounce of 2.5s is over")]),
    (replace(RULE, windows=(DAY,)), CLAIM, CLEAR, NOW, Go(), [("window", GO, "a window is open")]),
    (replace(RULE, windows=(NIGHT,)), CLAIM, CLEAR, NOW, Wait("no window is open until 2026-11-24 00:00:00", MIDNIGHT), [("window", WAIT, "no window is open until 2026-11-24 00:00:00")]),
    # Votes: enough, too few, too late, against, not to be counted.
    (APPROVED, CLAIM, votes("yan"), NOW, Wait("1 of 2 approvals (yan), until 2026-11-24 00:51:40", NOW + 3_600_000), [("approvals", WAIT, "1 of 2 approvals (yan), until 2026-11-24 00:51:40")]),
    (APPROVED, CLAIM, votes("yan", "zoe"), NOW + 9_999_999, Go(), [("approvals", GO, "2 of 2 approvals (yan, zoe)")]),
    (APPROVED, CLAIM, votes("yan", "mallory"), NOW + 3_600_000, Stop(DeliveryState.REFUSED, "1 of 2 approvals (yan) within 1h"), [("approvals", STOP, "1 of 2 approvals (yan) within 1h")]),
    (APPROVED, CLAIM, votes("yan", "zoe", at=NOW + 3_600_001), NOW + 3_600_002, Stop(DeliveryState.REFUSED, "0 of 2 approvals within 1h"), [("approvals", STOP, "0 of 2 approvals within 1h")]),
    (APPROVED, CLAIM, votes("yan", "zoe", against="kim"), NOW, Stop(DeliveryState.REFUSED, "rejected by kim: no"), [("approvals", STOP, "rejected by kim: no")]),
    (EYES, CLAIM, votes("zoe"), NOW, Wait("0 of 1 approvals, until 2026-11-24 00:51:40", NOW + 3_600_000), [("approvals", WAIT, "0 of 1 approvals, until 2026-11-24 00:51:40")]),
    (EYES, CLAIM, votes("zoe", "yan"), NOW, Go(), [("approvals", GO, "1 of 1 approvals (yan)")]),
    # Anybody may be an anonymous client, also who approves.
    (EYES, replace(CLAIM, account=""), votes("yan"), NOW,
        Stop(DeliveryState.REFUSED, "nobody is known to have pushed it, and four_eyes asks for another than who did"),
        [("approvals", STOP, "nobody is known to have pushed it, and four_eyes asks for another than who did")],
    ),
    (EYES, replace(CLAIM, verdict="unattributed"), votes("yan"), NOW,
        Stop(DeliveryState.REFUSED, "nobody is known to have pushed it, and four_eyes asks for another than who did"),
        [("approvals", STOP, "nobody is known to have pushed it, and four_eyes asks for another than who did")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "claim", "standing", "now_ms", "step", "decisions"), AFTER)
def test_after_the_tag(  # noqa: PLR0917 - columns
    rule: Rule,
    claim: Claim,
    standing: Standing,
    now_ms: int,
    step: Go | Stop | Wait,
    decisions: list[tuple[str, Said, str]],
) -> None:
    """What may have to be waited for, and what ends the waiting."""
    ruling = after_the_tag(claim, rule, standing, knows_what_runs=False, now_ms=now_ms)
    assert (ruling.step, said(ruling)) == (step, decisions)


def test_what_a_target_knows_itself() -> None:
    """It is asked, though the ledger thinks that nothing changes."""
    assert after_the_tag(CLAIM, RULE, SAME, knows_what_runs=True, now_ms=NOW).step == Go()


def test_all_that_is_waited_for() -> None:
    """Each is told of; it is looked at again when the first of them may have changed; a no among them ends it."""
    rule = replace(APPROVED, cooldown_s=60.0, windows=(NIGHT,), debounce_s=5.0)
    ruling = after_the_tag(CLAIM, rule, CLEAR, knows_what_runs=False, now_ms=NOW)
    assert isinstance(ruling.step, Wait)
    assert ruling.step.until_ms == NOW + 5_000
    assert [one.guard for one in ruling.decisions] == ["cooldown", "window", "debounce", "approvals"]
    assert ruling.step.reason == "; ".join(one.why for one in ruling.decisions)
    stopped = after_the_tag(CLAIM, rule, votes(against="kim"), knows_what_runs=False, now_ms=NOW)
    assert stopped.step == Stop(DeliveryState.REFUSED, "rejected by kim: no")


def test_which_later_pushes_count() -> None:
    """Those that the rule would take as well tied; of any tag when only the newest counts."""
    assert around(CompiledRule(RULE), whole_target=True) == Around(("exact",), whole_target=True, any_tag=False)
    weaker = replace(NEWEST, require=Require.INFERRED)
    assert around(CompiledRule(weaker), whole_target=False) == Around(("exact", "inferred"), whole_target=False, any_tag=True)
