"""A conversation over HTTP: what is asked arrives, what is kept is kept first, and nobody learns a secret."""

import socket
from collections.abc import Mapping
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest

from tests.servers import Reply, answering, saying
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import Network, Reach, Secret
from workers.adapters.conversing import Conversing
from workers.adapters.guarded import reached
from workers.adapters.http import MAX_BODY
from workers.decide.conversation import Ask, Conversation, Heard, Keep, Lost
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent

pytestmark = pytest.mark.real
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Echo:
    """Begins by one post and tells what came; follows by one look."""

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Keep, post, and keep what came of it."""
        yield Keep({"asked": str(now_s)})
        reply = yield Ask(method="POST", path="/begin?a=b", headers={"X-Id": order.delivery_id}, body=b"{}")
        if isinstance(reply, Lost):
            return Retry(f"{reply.sent} {reply.reason}")
        yield Keep({"run": reply.body.decode()})
        return Failed(f"{reply.status} {reply.headers.get('x-told', '')} s3cret")

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look."""
        reply = yield Ask(method="GET", path=f"/runs/{noted['run']}")
        assert isinstance(reply, Heard)
        return Delivered(reply.body.decode())

    def secrets(self) -> tuple[Secret, ...]:
        """One."""
        return (Secret(b"s3cret"),)


def target(url: str, *, allow: tuple[Network, ...] = LOOPBACK, timeout_s: float = 10) -> Conversing:
    """Somebody who is spoken to."""
    reach = Reach(url=url, allow=allow)
    return Conversing(Echo(), lambda: reached(reach), urlsplit(url).netloc, timeout_s=timeout_s)


def test_what_is_asked_arrives() -> None:
    """Method, path, headers and body; and what is kept is kept before, with the lease renewed for each."""
    lease = Holding()
    with answering(lambda _: Reply(302, {"X-Told": "x", "Location": "/elsewhere"}, b"17")) as peer:
        assert target(peer.url).send(ORDER, lease) == Failed("302 x ***")
    (heard,) = peer.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/begin?a=b", b"{}")
    assert heard.headers.items() >= {"x-id": "dlv_1", "host": f"127.0.0.1:{peer.port}", "user-agent": "wharfinger"}.items()
    assert list(lease.kept[0]) == ["asked"]
    assert lease.kept[1:] == [{"run": "17"}]
    assert lease.renewed == 3


def test_resuming() -> None:
    """What was begun is followed; where nothing was, nobody is asked."""
    with answering(lambda _: Reply(200, {}, b"over")) as peer:
        assert target(peer.url).resume(ORDER, Holding()) is None
        assert target(peer.url).resume(ORDER, Holding(kept=[{"run": "17"}])) == Delivered("over")
    assert [heard.path for heard in peer.heard] == ["/runs/17"]


def test_a_worker_that_was_overtaken() -> None:
    """Begins nothing."""
    with answering(lambda _: Reply()) as peer, pytest.raises(LeaseLost):
        target(peer.url).send(ORDER, Holding(lost=True))
    assert peer.heard == []


def lost(answer: Sent) -> tuple[bool, str]:
    """Whether it may have arrived, and why there is no answer."""
    assert isinstance(answer, Retry)
    sent, _, reason = answer.reason.partition(" ")
    return sent == "True", reason


def test_nobody_listens() -> None:
    """Then nothing was sent, for certain."""
    with answering(lambda _: Reply()) as peer:
        port = peer.port
    assert lost(target(f"http://127.0.0.1:{port}").send(ORDER, Holding()))[0] is False


def test_a_peer_that_hangs() -> None:
    """It may have taken it."""
    with saying(_only_listens) as peer:
        assert lost(target(peer.url, timeout_s=0.3).send(ORDER, Holding())) == (True, "127.0.0.1 did not answer in time")


def _only_listens(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


@pytest.mark.parametrize("reply", [None, Reply(200, {}, b"x" * (MAX_BODY + 1))], ids=["drops", "huge"])
def test_an_answer_that_cannot_be_read(reply: Reply | None) -> None:
    """It may have taken it all the same."""
    with answering(lambda _: reply) as peer:
        assert lost(target(peer.url).send(ORDER, Holding()))[0] is True
    assert len(peer.heard) == 1


def test_an_address_that_is_not_allowed() -> None:
    """Nobody is asked, nothing is kept, and an operator is told what to change."""
    lease = Holding()
    with answering(lambda _: Reply()) as peer:
        answer = target(peer.url, allow=()).send(ORDER, lease)
    assert isinstance(answer, Refused)
    assert 'add allow: ["127.0.0.1/32"]' in answer.reason
    assert (peer.heard, lease.kept) == ([], [])


def test_a_name_that_does_not_resolve() -> None:
    """Later, perhaps; what was begun stays kept."""
    lease = Holding(kept=[{"run": "17"}])
    for answer in (target("http://none.invalid").send(ORDER, Holding()), target("http://none.invalid").resume(ORDER, lease)):
        assert isinstance(answer, Retry)
        assert "none.invalid" in answer.reason
    assert lease.noted == {"run": "17"}
