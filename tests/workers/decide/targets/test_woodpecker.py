"""Woodpecker: the documented requests, to the letter."""

import json

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import Reach, Secret, WoodpeckerTarget
from workers.decide.conversation import Ask, Heard, Keep
from workers.decide.order import Delivered, Waiting
from workers.decide.targets.woodpecker import Woodpecker

NOW = 1_795_477_900
RUN = {"asked": str(NOW), "run": "9"}
AUTHORIZED = {"Authorization": "Bearer t0ken"}
TARGET = Woodpecker(
    WoodpeckerTarget(
        name="ci", reach=Reach(url="https://ci.example/wp"), token=Secret(b"t0ken"), repository="17", branch="main",
        variables={"DIGEST": "{{digest}}", "WHARFINGER_DELIVERY": "{{delivery_id}}"}, timeout_s=600, line=1,
    )
)  # fmt: skip


def test_beginning() -> None:
    """A manual pipeline with variables."""
    body = json.dumps({"branch": "main", "variables": {"DIGEST": ORDER.digest, "WHARFINGER_DELIVERY": "dlv_1"}}).encode()
    asked = Ask(
        method="POST", path="/wp/api/repos/17/pipelines", headers={**AUTHORIZED, "Content-Type": "application/json"}, body=body
    )
    steps, sent = played(TARGET.begin(ORDER, now_s=NOW), Heard(200, {}, b'{"number": 9, "status": "pending"}'))
    assert steps == [Keep({"asked": str(NOW)}), asked, Keep(RUN)]
    assert sent == Waiting("build 9 began", 5.0)


def test_following() -> None:
    """Found by its variables, and looked at by its number."""
    found = Heard(200, {}, b'[{"number": 9, "variables": {"WHARFINGER_DELIVERY": "dlv_1"}}]')
    ended = Heard(200, {}, b'{"number": 9, "status": "success"}')
    steps, sent = played(TARGET.follow(ORDER, {"asked": str(NOW)}, now_s=NOW), found, ended)
    assert steps == [
        Ask(method="GET", path="/wp/api/repos/17/pipelines?page=1&per_page=50", headers=AUTHORIZED),
        Keep(RUN),
        Ask(method="GET", path="/wp/api/repos/17/pipelines/9", headers=AUTHORIZED),
    ]
    assert sent == Delivered("build 9 ended: success")


def test_its_secret() -> None:
    """Is masked."""
    assert TARGET.secrets() == (Secret(b"t0ken"),)
