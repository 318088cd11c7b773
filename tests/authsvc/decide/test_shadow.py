"""Shadow mode's comparison: docker_auth's answers read, ours set beside, and each difference once."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decide.access import Access, decide_access
from authsvc.decide.shadow import (
    MAX_DIFFERENCES,
    Answer,
    Difference,
    Ours,
    Tally,
    Theirs,
    What,
    compare,
    ours_granted,
    read_theirs,
)
from wharfinger.policy import Policy, Request, RuleText, compile_acl
from wharfinger.wire.scope import Scope

ONE = Difference(What.ACCESS, "zoe", "repository:a", "pull,push", "pull", 12, "rule 2 says so")


def token(claims: object, *, name: str = "token") -> bytes:
    """An answer as docker_auth's, with a signature that nobody looks at."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return json.dumps({name: f"e30.{payload}.c2ln"}).encode()


def entry(name: str, *actions: str) -> dict[str, object]:
    """An entry of the claim ``access``."""
    return {"type": "repository", "name": name, "actions": list(actions)}


@pytest.mark.parametrize(
    ("expected", "status", "body"),
    [
        (Theirs(Answer.DENIED, 401), 401, b"Auth failed.\n"),
        (Theirs(Answer.DENIED, 403), 403, b""),
        (Theirs(Answer.BAD_REQUEST, 400), 400, b"Bad request: x\n"),
        (Theirs(Answer.FAILED, 500), 500, b"Authentication failed (authn #1 returned error: secret)\n"),
        (Theirs(Answer.FAILED, 503), 503, b""),
        (Theirs(Answer.FAILED, 0), 0, b""),
        (Theirs(Answer.ANOTHER, 404), 404, b"Not found\n"),
        (Theirs(Answer.ANOTHER, 301), 301, b""),
        (Theirs(Answer.ANOTHER, 200), 200, b"<h1>issuer</h1>"),
        (Theirs(Answer.ANOTHER, 200), 200, b"{}"),
        (Theirs(Answer.ANOTHER, 200), 200, b'{"token": "one.two"}'),
        (Theirs(Answer.ANOTHER, 200), 200, b'{"token": "one"}'),
        (Theirs(Answer.ANOTHER, 200), 200, '{"token": "a.é.b"}'.encode()),
        (Theirs(Answer.ANOTHER, 200), 200, b'{"token": 1}'),
        (Theirs(Answer.ANOTHER, 200), 200, b"\xff"),
        (Theirs(Answer.ANOTHER, 200), 200, token({"access": []})),
        (Theirs(Answer.TOKEN, 200, "zoe"), 200, token({"sub": "zoe", "access": []})),
        (Theirs(Answer.TOKEN, 200, "zoe"), 200, token({"sub": "zoe", "access": None}, name="access_token")),
        (Theirs(Answer.TOKEN, 200, ""), 200, token({"sub": ""})),
        (Theirs(Answer.TOKEN, 200, "a#b"), 200, token({"sub": "a#b"})),
        (Theirs(Answer.TOKEN, 200, "zoe"), 200, token({"sub": "zoe#P7EDuDlmaqA2s52sRqx2-KIEUD"})),
        (
            Theirs(
                Answer.TOKEN, 200, "zoe", {("repository", "a"): frozenset({"pull", "push"}), ("repository", "b"): frozenset()}
            ),
            200,
            token({"sub": "zoe", "access": [entry("a", "push"), entry("b"), entry("a", "pull", "push")]}),
        ),
        (
            Theirs(Answer.TOKEN, 200, "zoe", {("repository", "a"): frozenset()}),
            200,
            token({"sub": "zoe", "access": [{"type": "repository", "name": "a", "actions": None, "class": "x"}]}),
        ),
    ],
)
def test_what_docker_auth_answered(expected: Theirs, status: int, body: bytes) -> None:
    """Its status, and whatever its token says; entries of one resource add up."""
    assert expected == read_theirs(status, body)


@given(st.integers(), st.binary())
def test_nothing_raises(status: int, body: bytes) -> None:
    """Whatever came through is some answer."""
    assert isinstance(read_theirs(status, body), Theirs)


def asked(name: str, *actions: str) -> Request:
    """Zoe asks."""
    return Request("zoe", "repository", name, "r", None, actions)


def policy() -> Policy:
    """Two rules."""
    compiled = compile_acl([RuleText(line=7, name="a", actions=("pull",)), RuleText(line=9, name="shut", actions=())])
    assert isinstance(compiled, Policy)
    return compiled


def test_what_we_would_grant() -> None:
    """Added up like theirs, with the line and why of the rule that decides."""
    wanted = (asked("a", "pull", "push"), asked("a", "push"), asked("shut", "pull"), asked("b", "pull"))
    ours = ours_granted("zoe", wanted, decide_access(policy(), wanted), policy())
    assert (ours.answer, ours.account) == (Answer.TOKEN, "zoe")
    assert ours.granted == {
        ("repository", "a"): {"pull"},
        ("repository", "shut"): frozenset(),
        ("repository", "b"): frozenset(),
    }
    assert {name: line for (_, name), (line, _) in ours.reasons.items()} == {"a": 7, "shut": 9, "b": None}
    assert ours.reasons["repository", "b"][1].startswith("none of the 2 rules matches zoe")


@pytest.mark.parametrize(("why", "decider"), [("ext_authz decides", "ext_authz"), ("there is no access list", "")])
def test_what_others_decide(why: str, decider: str) -> None:
    """A program, or nobody."""
    access = Access((Scope("repository", "a", ("pull",)),), (None,), (decider,))
    assert ours_granted("zoe", (asked("a", "pull"),), access, None).reasons == {("repository", "a"): (None, why)}


A, B = ("repository", "a"), ("registry", "catalog")
PULL, BOTH, NOTHING = frozenset({"pull"}), frozenset({"pull", "push"}), frozenset[str]()


@pytest.mark.parametrize(
    ("expected", "theirs", "ours"),
    [
        ([], Theirs(Answer.TOKEN, 200, "zoe", {A: PULL}), Ours(Answer.TOKEN, "", "zoe", {A: PULL})),
        ([], Theirs(Answer.DENIED, 401), Ours(Answer.DENIED, "wrong_password")),
        ([], Theirs(Answer.BAD_REQUEST, 400), Ours(Answer.BAD_REQUEST, "x")),
        ([], Theirs(Answer.FAILED, 500), Ours(Answer.TOKEN, "", "zoe", {A: PULL})),
        (
            [Difference(What.STATUS, "zoe", "", "token", "denied", None, "wrong_password")],
            Theirs(Answer.TOKEN, 200, "zoe", {A: PULL}),
            Ours(Answer.DENIED, "wrong_password"),
        ),
        (
            [Difference(What.STATUS, "zoe", "", "denied", "token", None, "")],
            Theirs(Answer.DENIED, 401),
            Ours(Answer.TOKEN, "", "zoe"),
        ),
        (
            [Difference(What.STATUS, "", "", "404", "denied", None, "anonymous_disabled")],
            Theirs(Answer.ANOTHER, 404),
            Ours(Answer.DENIED, "anonymous_disabled"),
        ),
        (
            [Difference(What.ACCOUNT, "zoe", "", "zoe", "", None, "the token would be for another")],
            Theirs(Answer.TOKEN, 200, "zoe"),
            Ours(Answer.TOKEN),
        ),
        (
            [
                Difference(What.ACCESS, "zoe", "registry:catalog", "", "pull", 3, "rule 1"),
                Difference(What.ACCESS, "zoe", "repository:a", "pull,push", "pull", None, "no rule"),
            ],
            Theirs(Answer.TOKEN, 200, "zoe", {A: BOTH, B: NOTHING}),
            Ours(Answer.TOKEN, "", "zoe", {A: PULL, B: PULL}, {A: (None, "no rule"), B: (3, "rule 1")}),
        ),
        (
            [Difference(What.ACCESS, "zoe", "repository:a", "pull", "", None, "it was not asked for")],
            Theirs(Answer.TOKEN, 200, "zoe", {A: PULL}),
            Ours(Answer.TOKEN, "", "zoe"),
        ),
    ],
)
def test_differences(expected: list[Difference], theirs: Theirs, ours: Ours) -> None:
    """In status, account and access; a failure of docker_auth's says nothing of what it allows."""
    assert expected == list(compare(theirs, ours))


def test_which_are_worth_a_line() -> None:
    """The first, the tenth, the hundredth of its kind; each kind by itself."""
    tally = Tally(since=0, policy="p")
    assert [at for at in range(1, 1_001) if tally.add(ONE, at)] == [1, 10, 100, 1_000]
    assert tally.add(Difference(What.STATUS, "zoe", "", "token", "denied", None, "x"), 0)


def test_the_report() -> None:
    """The counts since when and by which list, and every difference once, the most frequent first."""
    tally = Tally(since=100, policy="p")
    other = Difference(What.STATUS, "bob", "", "token", "denied", None, "wrong_password")
    for outcome in ("same", "differs", "differs", "differs", "same"):
        tally.count(outcome)
    tally.add(ONE, 101)
    for at in (102, 107):
        tally.add(other, at)
    assert tally.summary() == {"differs": 3, "same": 2, "distinct": 2, "beyond": 0, "since": 100, "policy": "p"}
    report = tally.report()
    assert report["differences"] == [
        {"what": "status", "account": "bob", "scope": "", "theirs": "token", "ours": "denied", "line": None, "why": "wrong_password", "count": 2, "first": 102, "last": 107},
        {"what": "access", "account": "zoe", "scope": "repository:a", "theirs": "pull,push", "ours": "pull", "line": 12, "why": "rule 2 says so", "count": 1, "first": 101, "last": 101},
    ]  # fmt: skip
    json.dumps(report)


def test_a_flood_of_differences() -> None:
    """Beyond a bound they are counted, and those that are kept go on."""
    tally = Tally(since=0, policy="")
    for number in range(MAX_DIFFERENCES + 5):
        tally.add(Difference(What.ACCESS, f"a{number}", "", "", "", None, ""), 1)
    assert (tally.summary()["distinct"], tally.summary()["beyond"]) == (MAX_DIFFERENCES, 5)
    assert not tally.add(Difference(What.ACCESS, "a0", "", "", "", None, ""), 2)
    assert tally.summary()["beyond"] == 5
