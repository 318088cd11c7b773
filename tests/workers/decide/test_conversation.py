"""What all conversations have in common: beginning once, reading what peers say, telling no secrets."""

import json
from collections.abc import Sequence

import pytest

from tests.workers.playing import played
from wharfinger.runtime.settings import Secret
from workers.decide.conversation import (
    APPEARS_S,
    Ask,
    Heard,
    Keep,
    Lost,
    Reply,
    at,
    content,
    entries,
    is_success,
    masked,
    missing,
    refusal,
    said,
    starting,
    text_at,
    unanswered,
)
from workers.decide.order import Delivered, Failed, Retry, Sent, Waiting

NOW = 1_795_477_900
POST = Ask(method="POST", path="/")


def started(*replies: Reply, what: str = "") -> tuple[Sequence[Ask | Keep], Heard | Sent]:
    """What is asked and kept for these answers, and what comes of it."""
    return played(starting(POST, now_s=NOW, what=what), *replies)


ASKED = [Keep({"asked": str(NOW)}), POST]


@pytest.mark.parametrize(
    ("reply", "expected", "forgotten"),
    [
        (Heard(201), Heard(201), False),
        (Heard(204), Heard(204), False),
        # Whether it began is not known: it is kept, and looked up.
        (
            Lost("h did not answer in time", sent=True),
            Waiting("h did not answer in time; whether it began is looked up", 5.0),
            False,
        ),
        (Heard(500), Waiting("answered 500; whether it began is looked up", 5.0), False),
        (Heard(502), Waiting("answered 502; whether it began is looked up", 5.0), False),
        # It did not begin, for certain: it may be asked for again.
        (Lost("h cannot be asked", sent=False), Retry("h cannot be asked"), True),
        (Heard(429, {"retry-after": "17"}), Retry("answered 429", 17.0), True),
        (Heard(404, {}, b'{"message": "Not Found"}'), Failed("answered 404: Not Found"), True),
        (Heard(302), Failed("answered 302; redirects are not followed: configure the final URL"), True),
    ],
)
def test_beginning(reply: Reply, expected: object, forgotten: bool) -> None:  # noqa: FBT001 - a column
    """What is about to begin is kept before it is asked for, and forgotten only when it is known that it did not."""
    steps, came = started(reply)
    assert steps == [*ASKED, *([Keep({})] if forgotten else [])]
    assert came == expected


def test_a_peer_that_says_that_nothing_began() -> None:
    """Is believed, whatever its status."""
    talk = starting(POST, now_s=NOW, never="out of sequence")
    answer = Heard(500, {}, b'{"message": "update out of sequence"}')
    assert played(talk, answer) == ([*ASKED, Keep({})], Retry("answered 500: update out of sequence"))


def test_what_is_kept_beside() -> None:
    """More than the time, where it is needed to find it again."""
    steps, _ = started(Heard(200), what="x")
    assert steps[0] == Keep({"asked": str(NOW), "what": "x"})


@pytest.mark.parametrize(
    ("after_s", "steps", "expected"),
    [
        (APPEARS_S - 1, [], Waiting("the answer was lost, and nothing is found yet that it began", 5.0)),
        (APPEARS_S, [Keep({})], Retry("the answer was lost, and nothing had begun")),
    ],
)
def test_what_is_not_found(after_s: int, steps: list[Keep], expected: Sent) -> None:
    """It may be on its way for a while; then it is asked for again, and that is an attempt."""
    assert played(missing({"asked": str(NOW - after_s)}, now_s=NOW)) == (steps, expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ""),
        (b"<html>", ""),
        (b"[1]", ""),
        (b'{"other": "x"}', ""),
        (b'{"message": "no ref"}', "no ref"),
        (b'{"message": {"base": ["no ref"]}}', '{"base": ["no ref"]}'),
        (b'{"message": "", "error": "invalid_token"}', "invalid_token"),
        (b'{"message": "a\\u0000b\\ud800"}', "a\ufffdb?"),
        (json.dumps({"message": "x" * 999}).encode(), "x" * 300),
        (b"[" * 100_000, ""),
    ],
)
def test_what_peers_say(body: bytes, expected: str) -> None:
    """As much of it as a person needs, and as a ledger can hold."""
    assert said(Heard(400, {}, body)) == expected


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (Heard(410), Failed("answered 410, and not what is documented")),
        (Heard(410, {}, b'{"message": "gone"}'), Failed("answered 410: gone")),
        (Heard(200), Failed("answered 200, and not what is documented")),
        (Heard(409, {}, b'{"message": "the object has been modified"}'), Retry("answered 409: the object has been modified")),
        (Heard(401, {}, b'{"error": "bad token"}'), Failed("answered 401: bad token")),
        (Heard(503, {"retry-after": "5"}, b'{"message": "later"}'), Retry("answered 503: later", 5.0)),
    ],
)
def test_refusals(heard: Heard, expected: Sent) -> None:
    """Later or never, with the reason that was given."""
    assert refusal(heard, now_s=NOW) == expected


def test_a_look_that_failed() -> None:
    """It counts, so it does not go on for ever."""
    assert unanswered(Lost("h is away", sent=False), now_s=NOW) == Retry("h is away; what became of it is looked up again")
    assert unanswered(Heard(500), now_s=NOW) == Retry("answered 500")


def test_reading() -> None:
    """Whatever a peer answers, it is read without a fault."""
    found = content(Heard(200, {}, b'{"a": {"b": 1, "c": true, "d": "x"}, "e": [1]}'))
    assert (at(found, "a", "b"), at(found, "a", "x"), at(found, "e", "b"), at(None, "a")) == (1, None, None, None)
    assert (text_at(found, "a", "b"), text_at(found, "a", "c"), text_at(found, "a", "d"), text_at(found, "a")) == (
        "1",
        "",
        "x",
        "",
    )
    assert (entries(at(found, "e")), entries(at(found, "a")), entries(None)) == ([1], [], [])
    assert [is_success(Heard(status)) for status in (199, 200, 299, 300)] == [False, True, True, False]


def test_masking() -> None:
    """A peer that repeats a secret does not make it public."""
    secrets = (Secret(b"s3cret"), Secret(b"other"))
    assert masked(Failed("answered 400: bad token s3cret"), secrets) == Failed("answered 400: bad token ***")
    assert masked(Delivered("other s3cret"), secrets) == Delivered("*** ***")
    assert masked(Retry("s3cret", 3.0), secrets) == Retry("***", 3.0)
