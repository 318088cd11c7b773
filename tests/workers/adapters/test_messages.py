"""Messages by Apprise itself: to a service on loopback, and to nobody who is not allowed."""

import json
import socket
from ipaddress import ip_network

import pytest

from tests.servers import Peer, Reply, answering, saying
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import MessageTarget, Network, Secret
from workers.adapters.messages import Messages
from workers.decide.order import Delivered, Refused, Retry

pytestmark = pytest.mark.real
LOOPBACK = (ip_network("127.0.0.0/8"),)


def messages(*urls: str, allow: tuple[Network, ...] = LOOPBACK, timeout_s: float = 30) -> Messages:
    """A target."""
    secrets = tuple(Secret(url.encode()) for url in urls)
    return Messages(
        MessageTarget(name="m", urls=secrets, title="{{tag}}", body="{{account}}", allow=allow, line=1), timeout_s=timeout_s
    )


def at(peer: Peer, path: str = "S3cretPath") -> str:
    """Apprise's address of a server that takes JSON."""
    return f"json://127.0.0.1:{peer.port}/{path}"


def test_everybody_is_told() -> None:
    """With title and body; each once."""
    lease = Holding()
    with answering(lambda _: Reply(200)) as peer:
        assert messages(at(peer, "one"), at(peer, "two")).send(ORDER, lease) == Delivered("told 2")
    assert [heard.path for heard in peer.heard] == ["/one", "/two"]
    told = json.loads(peer.heard[0].body)
    assert (told["title"], told["message"]) == ("v1", 'zoë "z"')
    assert lease.noted == {"1": "told", "2": "told"}


def test_one_that_does_not_take_it() -> None:
    """Is told again, and nobody else is; nothing of its address is in the reason."""
    lease = Holding()
    answers = {"/one": [Reply(200)], "/S3cretPath": [Reply(500), Reply(200)]}
    with answering(lambda heard: answers[heard.path].pop(0)) as peer:
        target = messages(at(peer, "one"), at(peer))
        assert target.resume(ORDER, lease) is None
        sent = target.send(ORDER, lease)
        assert isinstance(sent, Retry)
        assert "S3cretPath" not in sent.reason
        assert target.resume(ORDER, lease) == Delivered("told 2")
    assert [heard.path for heard in peer.heard] == ["/one", "/S3cretPath", "/S3cretPath"]


def test_an_address_that_is_not_allowed() -> None:
    """Nobody is connected to, whatever client a service brings."""
    with answering(lambda _: Reply(200)) as peer:
        for url in (
            at(peer),
            f"mailto://u:p@localhost:{peer.port}?from=a@b.example&to=c@d.example",
            f"json://localhost:{peer.port}/",
        ):
            sent = messages(url, allow=()).send(ORDER, Holding())
            assert isinstance(sent, Refused), url
            assert "neither public nor allowed" in sent.reason
    assert peer.heard == []


def test_a_redirect() -> None:
    """Is not followed."""
    with answering(lambda _: Reply(200)) as elsewhere, answering(lambda _: Reply(307, {"Location": elsewhere.url})) as peer:
        assert isinstance(messages(at(peer)).send(ORDER, Holding()), Retry)
    assert (len(peer.heard), elsewhere.heard) == (1, [])


@pytest.mark.parametrize("url", ["nosuch://x/y", "slack://"])
def test_what_apprise_does_not_know(url: str) -> None:
    """A person corrects it."""
    assert isinstance(messages(url).send(ORDER, Holding()), Refused)


def test_a_service_that_hangs() -> None:
    """Is given up with its process."""
    with saying(_only_listens) as peer:
        sent = messages(at(peer), timeout_s=3).send(ORDER, Holding())
    assert sent == Retry("message 1 did not come to an end in time")


def _only_listens(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def test_a_worker_that_was_overtaken() -> None:
    """Tells nobody."""
    with answering(lambda _: Reply(200)) as peer, pytest.raises(LeaseLost):
        messages(at(peer)).send(ORDER, Holding(lost=True))
    assert peer.heard == []
