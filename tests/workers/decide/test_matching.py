"""Which pushes a rule takes: patterns, conditions one by one, and what is known of who pushed."""

from dataclasses import replace

import pytest

from wharfinger.runtime.settings import Match, Require, Rule
from workers.decide.matching import MalformedPattern, Matcher, Push, any_of, good_enough, pattern, problems, verdicts

PUSH = Push(
    source="main", repository="shop/web", tag="v1.10.0", digest="sha256:ab", media_type="application/vnd.oci.image.manifest.v1+json",
    verdict="exact", account="ci-web", credential="static/c1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "taken", "left"),
    [
        ("shop/*", ["shop/web"], ["shop/web/api", "shop", "workshop/web"]),
        ("shop/**", ["shop/web", "shop/web/api"], ["shop", "shops/web"]),
        ("**/web", ["shop/web", "a/b/web"], ["web"]),
        ("v[0-9]", ["v1"], ["v", "v10"]),
        ("/v[0-9]+/", ["v1", "v10"], ["v", "xv1", "v1-rc", "v1\n"]),
        ("/v1|v2/", ["v1", "v2"], ["v1-rc", "xv2"]),
        ("//", [""], ["x"]),
        ("/", ["/"], [""]),
    ],
)
def test_patterns(text: str, taken: list[str], left: list[str]) -> None:
    """Globs whose two stars cross slashes, and expressions that must match the whole."""
    test = pattern(text)
    assert [one for one in taken if not test(one)] == []
    assert [one for one in left if test(one)] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a", "'[a' is no glob: "),
        ("/(/", "'/(/' is no regular expression: "),
        ("/a)|(b/", "is no regular expression"),
        ("/\\C/", "is no regular expression"),
    ],
)
def test_no_patterns(text: str, problem: str) -> None:
    """Nor can a bracket take the anchors away."""
    with pytest.raises(MalformedPattern) as raised:
        pattern(text)
    assert problem in str(raised.value)


def test_any_of_several() -> None:
    """One is enough; of none none is."""
    assert any_of(["a", "b*"])("bc")
    assert not any_of(["a", "b*"])("c")
    assert not any_of([])("a")


CONDITIONS = [
    (Match(), {}, True, ""),
    (Match(registry=("main", "edge")), {}, True, "registry main is any of main, edge"),
    (Match(registry=("edge",)), {}, False, "registry main is not edge"),
    (Match("shop/*"), {}, True, "repository shop/web matches shop/*"),
    (Match("fish/*"), {}, False, "repository shop/web does not match fish/*"),
    (Match(tag="v1.*"), {}, True, "tag v1.10.0 matches v1.*"),
    (Match(tag="/v2.+/"), {}, False, "tag v1.10.0 does not match /v2.+/"),
    (Match(tag="newest"), {}, True, "tag v1.10.0 is the newest, as any is when it is pushed"),
    (Match(tag="/newest/"), {}, False, "tag v1.10.0 does not match /newest/"),
    (Match(tag="semver:>1.9 <2"), {}, True, "tag v1.10.0 is in semver:>1.9 <2"),
    (Match(tag="semver:^2"), {}, False, "tag v1.10.0 is not in semver:^2"),
    (Match(tag="semver:*"), {"tag": "latest"}, False, "tag latest is no version"),
    (Match(tag="semver:^2"), {"tag": "2.1.0-rc.1"}, False, "tag 2.1.0-rc.1 is not in semver:^2"),
    (Match(tag="semver:^2", prerelease=True), {"tag": "2.1.0-rc.1"}, True, "tag 2.1.0-rc.1 is in semver:^2"),
    (Match(account=("ci-*", "zoe")), {}, True, "account ci-web matches any of ci-*, zoe"),
    (Match(account=("zoe",)), {}, False, "account ci-web does not match zoe"),
    (Match(account=("*",)), {"account": ""}, False, "nobody is known to have pushed it (exact)"),
    (Match(account=("*",)), {"account": None}, False, "nobody is known to have pushed it (exact)"),
    (Match(account=("ci-*",)), {"verdict": "inferred"}, True, "account ci-web matches ci-*"),
    # What an event says of who pushed is not believed without a token.
    (Match(account=("*",)), {"verdict": "unattributed"}, False, "nobody is known to have pushed it (unattributed)"),
    (Match(account=("*",)), {"verdict": "forged"}, False, "nobody is known to have pushed it (forged)"),
    (Match(credential=("c1",)), {}, True, "credential static/c1 is c1"),
    (Match(credential=("static/c1", "x")), {}, True, "credential static/c1 is any of static/c1, x"),
    (Match(credential=("c2",)), {}, False, "credential static/c1 is not c2"),
    (Match(credential=("",)), {"credential": ""}, False, "credential (none) is not "),
    (Match(media_type=("application/vnd.oci.*",)), {}, True, f"media_type {PUSH.media_type} matches application/vnd.oci.*"),
    (
        Match(media_type=("application/vnd.docker.*",)),
        {},
        False,
        f"media_type {PUSH.media_type} does not match application/vnd.docker.*",
    ),
]


@pytest.mark.parametrize(
    ("match", "change", "holds", "why"), CONDITIONS, ids=[f"{why}{number}" for number, (*_, why) in enumerate(CONDITIONS)]
)
def test_conditions(match: Match, change: dict[str, str | None], holds: bool, why: str) -> None:  # noqa: FBT001 - a column
    """Each by itself, with what it says."""
    push = replace(PUSH, **change)  # type: ignore[arg-type]  # a column
    matcher = Matcher(match)
    assert matcher.matches(push) is holds
    assert [(one.holds, one.why) for one in matcher.conditions(push)] == ([(holds, why)] if why else [])


def test_all_must_hold() -> None:
    """Each is told of, also those behind the first that fails."""
    matcher = Matcher(Match("fish/*", "v1*", ("main",)))
    assert not matcher.matches(PUSH)
    assert [(one.name, one.holds) for one in matcher.conditions(PUSH)] == [
        ("registry", True),
        ("repository", False),
        ("tag", True),
    ]


def test_newest_is_known() -> None:
    """For of a repository's pushes only the last counts then."""
    assert [Matcher(Match(tag=tag)).newest for tag in ("newest", "/newest/", None)] == [True, False, False]


def test_problems() -> None:
    """Every pattern of a rule that is none is told of, by the setting it stands in."""
    match = Match("[a", "semver:x.y", account=("ok", "/(/"), media_type=("[b",))
    rule = Rule("web", match, Require.EXACT, (), 1, pushers=("[c", "ok"))
    assert [name for name, _ in problems(rule)] == [
        "match.repository",
        "match.account",
        "match.media_type",
        "pushers",
        "match.tag",
    ]
    assert list(problems(Rule("web", Match("a", "b"), Require.EXACT, (), 1))) == []
    assert list(problems(Rule("web", Match(), Require.EXACT, (), 1))) == []
    with pytest.raises(MalformedPattern):
        Matcher(match)
    with pytest.raises(MalformedPattern):
        Matcher(Match(tag="semver:x.y"))


@pytest.mark.parametrize(
    ("require", "taken"),
    [
        (Require.EXACT, ("exact",)),
        (Require.INFERRED, ("exact", "inferred")),
        (Require.AMBIGUOUS, ("exact", "inferred", "ambiguous")),
        (Require.UNATTRIBUTED, ("exact", "inferred", "ambiguous", "unattributed")),
    ],
)
def test_good_enough(require: Require, taken: tuple[str, ...]) -> None:
    """What is asked for and what is better; never a violation, nor a word that nobody knows."""
    assert verdicts(require) == taken
    words = ("exact", "inferred", "ambiguous", "unattributed", "forged", "account_mismatch", "outside_grant", "revoked", "")
    assert tuple(word for word in words if good_enough(word, require)) == taken
