"""Drone: the documented requests, to the letter."""

import pytest

from tests.workers.orders import ORDER
from tests.workers.playing import played
from wharfinger.runtime.settings import DroneTarget, Reach, Secret
from workers.decide.conversation import Ask, Heard, Keep
from workers.decide.order import Delivered, Waiting
from workers.decide.targets.drone import Drone

NOW = 1_795_477_900
RUN = {"asked": str(NOW), "run": "9"}
AUTHORIZED = {"Authorization": "Bearer t0ken"}


def drone(branch: str = "") -> Drone:
    """A target."""
    return Drone(
        DroneTarget(
            name="ci", reach=Reach(url="https://ci.example"), token=Secret(b"t0ken"), repository="shop/infra", branch=branch,
            parameters={"TAG": "a {{tag}}&", "WHARFINGER_DELIVERY": "{{delivery_id}}"}, timeout_s=600, line=1,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("branch", "query"), [("", ""), ("main", "branch=main&")])
def test_beginning(branch: str, query: str) -> None:
    """A custom build with parameters, escaped in the query."""
    path = f"/api/repos/shop/infra/builds?{query}TAG=a+v1%26&WHARFINGER_DELIVERY=dlv_1"
    steps, sent = played(drone(branch).begin(ORDER, now_s=NOW), Heard(200, {}, b'{"number": 9}'))
    assert steps == [Keep({"asked": str(NOW)}), Ask(method="POST", path=path, headers=AUTHORIZED), Keep(RUN)]
    assert sent == Waiting("build 9 began", 5.0)


def test_following() -> None:
    """Found by its parameters, and looked at by its number."""
    found = Heard(200, {}, b'[{"number": 9, "params": {"WHARFINGER_DELIVERY": "dlv_1"}}]')
    ended = Heard(200, {}, b'{"number": 9, "status": "success"}')
    steps, sent = played(drone().follow(ORDER, {"asked": str(NOW)}, now_s=NOW), found, ended)
    assert [one.path for one in steps if isinstance(one, Ask)] == [
        "/api/repos/shop/infra/builds?page=1&per_page=50", "/api/repos/shop/infra/builds/9",
    ]  # fmt: skip
    assert sent == Delivered("build 9 ended: success")


def test_its_secret() -> None:
    """Is masked."""
    assert drone().secrets() == (Secret(b"t0ken"),)
