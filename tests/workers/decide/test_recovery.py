"""What a replacement that was cut off left."""

from typing import Any

import pytest

from workers.decide.recovery import Interrupted, Unclear, interrupted, names_of, was_put_in_by, was_started
from workers.decide.replacement import LABEL_DELIVERY, LABEL_RAN, LABEL_REPLACES

ONE = "dlv_00000000000000000000000001"
TWO = "dlv_00000000000000000000000002"
OLD = {"Id": "o", "Names": ["/web"], "Labels": {"team": "shop"}}


def new(name: str, *, delivery: str = ONE, replaces: str = "o", was: str = "running") -> dict[str, Any]:
    """A container that we made, as the Engine lists it."""
    labels = {LABEL_DELIVERY: delivery, LABEL_REPLACES: replaces, LABEL_RAN: was}
    return {"Id": "n", "Names": [f"/{name}"], "Labels": labels}


def left(*, old: str, put_in: bool, new: str = "n", old_ran: bool = True) -> Interrupted:
    """What is expected."""
    return Interrupted(delivery=ONE, names=names_of("web", ONE), old=old, new=new, put_in=put_in, old_ran=old_ran)


ASIDE = {"Id": "o", "Names": [f"/web-old-{ONE}"], "Labels": None}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([OLD], []),
        ([], []),
        # Created, or taken out again with the old one back.
        ([OLD, new(f"web-new-{ONE}")], [left(old="o", put_in=False)]),
        ([OLD, new(f"web-new-{ONE}", was="stopped")], [left(old="o", put_in=False, old_ran=False)]),
        # Between the two renames, either way.
        ([ASIDE, new(f"web-new-{ONE}")], [left(old="o", put_in=False)]),
        # In, whether started or not.
        ([ASIDE, new("web")], [left(old="o", put_in=True)]),
        # Over: what it replaced is gone.
        ([new("web")], []),
        # Somebody removed one of the two.
        ([ASIDE], [left(old="o", new="", put_in=False)]),
        ([new(f"web-new-{ONE}")], [left(old="", put_in=False)]),
        # Somebody replaced the old one meanwhile: it is not ours to start.
        ([{**OLD, "Id": "x"}, new(f"web-new-{ONE}")], [left(old="", put_in=False)]),
    ],
)
def test_states(listed: list[dict[str, Any]], expected: list[Interrupted]) -> None:
    """Every state that a step can leave, from names and labels alone."""
    assert list(interrupted("web", listed)) == expected


@pytest.mark.parametrize(
    "listed",
    [
        [OLD, ASIDE | {"Id": "p"}],
        [new("web", delivery=TWO), ASIDE],
        [OLD, {"Id": "x", "Names": [f"/web-new-{ONE}"], "Labels": {}}],
    ],
)
def test_no_guess(listed: list[dict[str, Any]]) -> None:
    """Two that may both be wanted, or a name of ours on what is not ours."""
    (found,) = interrupted("web", listed)
    assert isinstance(found, Unclear)
    assert ONE in found.reason


@pytest.mark.parametrize(
    "name",
    [
        "web-old",
        "web-new",
        "web-new-blue",
        "web-old-2",
        f"webshop-old-{ONE}",
        f"web-new-{ONE}-x",
        f"web-x-old-{ONE}",
        f"other/web-old-{ONE}",
    ],
)
def test_names_that_are_not_ours(name: str) -> None:
    """Whatever people or other targets call their containers, it is no leftover of this one."""
    assert interrupted("web", [OLD, new(name)]) == ()


def test_more_than_one() -> None:
    """Each delivery's is told apart."""
    found = interrupted("web", [OLD, new(f"web-new-{ONE}"), new(f"web-new-{TWO}", delivery=TWO)])
    assert [one.delivery for one in found if isinstance(one, Interrupted)] == [ONE, TWO]


@pytest.mark.parametrize(("delivery", "container", "expected"), [(ONE, "web", True), (TWO, "web", False), (ONE, "shop", False)])
def test_put_in(delivery: str, container: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """By the label of the one that has the name."""
    assert was_put_in_by(delivery, container, [{"Id": "x", "Names": None}, new("web")]) is expected


@pytest.mark.parametrize(
    ("started", "expected"), [("0001-01-01T00:00:00Z", False), ("", False), (None, False), ("2026-11-24T20:32:39.8Z", True)]
)
def test_started(started: str | None, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """The Engine tells by a time."""
    assert was_started({"State": {"StartedAt": started}}) is expected
