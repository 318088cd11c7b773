"""Flux: the known answer of generic-hmac, and that a poke may come twice."""

import json

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import FluxTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Lost, Reply
from workers.decide.order import Delivered, Failed, Retry, Sent
from workers.decide.targets.flux import Flux, signature

NOW = 1_795_477_900
TARGET = Flux(FluxTarget(name="cd", reach=Reach(url="https://flux.example/hook/abc?x=1"), secret=Secret(b"a token"), line=1))


def test_known_answer() -> None:
    """HMAC-SHA256 of the body under the token, in hex."""
    expected = "sha256=cac73a41c6f4db221ae842e012a94e007ced45d805c27bf6b90b585a2e95d095"
    assert signature(b"token", b'{"event":"push"}') == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Heard(200), Delivered("Flux was asked to reconcile")),
        (Heard(400), Failed("answered 400")),
        (Heard(404), Failed("answered 404")),
        (Heard(503), Retry("answered 503")),
        (Lost("h did not answer in time", sent=True), Retry("h did not answer in time")),
    ],
)
def test_a_poke(reply: Reply, expected: Sent) -> None:
    """One request, and nothing to follow; a lost answer is sent again, for a second poke changes nothing."""
    (asked,), sent = played(TARGET.begin(ORDER, now_s=NOW), reply)
    assert isinstance(asked, Ask)
    assert (asked.method, asked.path, sent) == ("POST", "/hook/abc?x=1", expected)
    assert asked.headers == {"Content-Type": "application/json", "X-Signature": signature(b"a token", asked.body)}
    assert json.loads(asked.body)["data"]["delivery_id"] == "dlv_1"


def test_nothing_is_kept() -> None:
    """So going on is poking."""
    assert played(TARGET.follow(ORDER, {}, now_s=NOW), Heard(200)) == played(TARGET.begin(ORDER, now_s=NOW), Heard(200))
    assert TARGET.secrets() == (Secret(b"a token"),)
