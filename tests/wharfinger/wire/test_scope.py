"""The scope grammar, as clients use it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.wire.scope import MAX_SCOPE_LENGTH, MAX_SCOPES, Scope, ScopeFault, covers, parse_scope, parse_scopes

READ = [
    ("repository:a/b:pull,push", Scope("repository", "a/b", ("pull", "push"))),
    ("repository:a/b:push,pull,push", Scope("repository", "a/b", ("pull", "push"))),
    ("repository(plugin):a:pull", Scope("repository", "a", ("pull",))),
    ("repository:host:5000/a:pull", Scope("repository", "host:5000/a", ("pull",))),
    ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
    ("repository:a:", Scope("repository", "a", ())),
    ("repository:a:pull,", Scope("repository", "a", ("pull",))),
]
FAULTY = [
    "", "repository", "repository:a", "repository::pull", "repository:a:b:c:pull",
    "Repo-x:a:pull", "repository():a:pull", "repository:a@sha256:x:y:pull", "repository:a:PULL", "repository:a\x00:pull",
    "repository:a,b:pull", "repository:a" + "b" * MAX_SCOPE_LENGTH + ":pull", ":a:pull", "repository:a\n:pull",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ)
def test_read(text: str, expected: Scope) -> None:
    """Actions are sorted, the class is dropped, a name may have a port."""
    assert parse_scope(text) == expected


@pytest.mark.parametrize("text", FAULTY)
def test_faulty(text: str) -> None:
    """What the grammar does not have is told, without repeating more of it than a line holds."""
    found = parse_scope(text)
    assert isinstance(found, ScopeFault)
    assert found.problem


@given(st.text())
def test_nothing_raises(text: str) -> None:
    """Any text is a scope or a fault."""
    assert isinstance(parse_scope(text), Scope | ScopeFault)


_NAMES = st.from_regex(r"[a-z0-9._/-]{1,40}(:[a-z0-9/]{1,10})?", fullmatch=True)


@given(
    st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True),
    _NAMES,
    st.sets(st.sampled_from(["pull", "push", "delete", "*"])),
)
def test_text_and_back(kind: str, name: str, actions: set[str]) -> None:
    """A scope's text is read as the same scope."""
    scope = Scope(kind, name, tuple(sorted(actions)))
    assert parse_scope(str(scope)) == scope


def test_several() -> None:
    """Each value may hold several; order and repetitions stay."""
    found = parse_scopes(["repository:a:pull repository:b:push", "repository:a:pull"])
    assert found == tuple(
        Scope("repository", name, (action,)) for name, action in (("a", "pull"), ("b", "push"), ("a", "pull"))
    )
    assert parse_scopes([]) == ()


@pytest.mark.parametrize("texts", [["", "repository:a:pull"], ["repository:a:pull  repository:b:pull"], ["repository:a:pull "]])
def test_one_empty_scope_spoils_the_request(texts: list[str]) -> None:
    """It is refused, where others drop all that was asked."""
    assert isinstance(parse_scopes(texts), ScopeFault)


def test_too_many() -> None:
    """A request has a bound."""
    assert isinstance(parse_scopes(["repository:a:pull"] * (MAX_SCOPES + 1)), ScopeFault)
    assert len(parse_scopes(["repository:a:pull"] * MAX_SCOPES)) == MAX_SCOPES  # type: ignore[arg-type]  # a tuple here


@pytest.mark.parametrize(
    ("kind", "name", "action", "expected"),
    [
        ("repository", "a", "pull", True),
        ("repository", "a", "push", True),
        ("repository", "a", "delete", False),
        ("repository", "all", "delete", True),
        ("registry", "a", "pull", False),
        ("repository", "b", "pull", False),
    ],
)
def test_covers(kind: str, name: str, action: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Entries of one resource add up, and the star is every action."""
    granted = [Scope("repository", "a", ("pull",)), Scope("repository", "a", ("push",)), Scope("repository", "all", ("*",))]
    assert covers(granted, kind=kind, name=name, action=action) is expected
