"""The port Target: its suite on the fake and on the webhook sender against a receiver, and to whom a webhook is not sent."""

import base64
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.certificates import pair, serving
from tests.servers import Heard, Peer, Reply, answering, saying
from tests.workers.fakes import RecordingTarget
from tests.workers.leases import Holding
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import Method, Network, Reach, Secret, TlsPair, WebhookTarget
from workers.adapters.http import MAX_BODY
from workers.adapters.webhook import WebhookSender
from workers.decide.order import Delivered, Failed, Order, Refused, Retry, Sent
from workers.ports import Target

pytestmark = pytest.mark.real
SECRET = b"whsec_" + base64.b64encode(b"k" * 32)
LOOPBACK = (ip_network("127.0.0.0/8"),)
ORDER = Order(
    delivery_id="dlv_1",
    rule="web",
    target="hook",
    source="main",
    registry_host="registry:5000",
    repository="shop/cart",
    tag="v1",
    digest="sha256:" + "ab" * 32,
    media_type="m",
    account="zoë",
    jti="j1",
    event_id="e1",
    pushed_at_ms=1_795_477_894_123,
    attempt=1,
)


def sender(
    url: str,
    *secrets: bytes,
    allow: tuple[Network, ...] = LOOPBACK,
    timeout_s: float = 10,
    ca_file: Path | None = None,
    shown: TlsPair | None = None,
    **form: Any,
) -> WebhookSender:
    """A webhook target."""
    reach = Reach(url=url, allow=allow, ca_file=ca_file, pair=shown)
    settings = WebhookTarget("hook", reach, tuple(map(Secret, secrets or (SECRET,))), 1, **form)
    return WebhookSender(settings, timeout_s=timeout_s)


@dataclass
class Subject:
    """An implementation, and the orders that were carried out by their ids: a receiver knows one it has seen."""

    target: Target
    carried_out: Callable[[], list[str]]


@pytest.fixture(params=["fake", "webhook"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = RecordingTarget()
        yield Subject(fake, lambda: [order.delivery_id for order in fake.orders])
        return
    with answering(lambda _: Reply(200)) as peer:
        yield Subject(
            sender(f"{peer.url}/hook"), lambda: list(dict.fromkeys(heard.headers["webhook-id"] for heard in peer.heard))
        )


def test_an_order_is_carried_out(subject: Subject) -> None:
    """And said to be."""
    assert isinstance(subject.target.send(ORDER, Holding()), Delivered)
    assert subject.carried_out() == ["dlv_1"]


def test_the_same_order_again(subject: Subject) -> None:
    """As after a crash: it is the same one to whoever carries it out, at whichever attempt."""
    subject.target.send(ORDER, Holding())
    assert isinstance(subject.target.send(replace(ORDER, attempt=2), Holding()), Delivered)
    assert subject.carried_out() == ["dlv_1"]


def test_other_orders(subject: Subject) -> None:
    """Each is carried out, also of the same image."""
    subject.target.send(ORDER, Holding())
    subject.target.send(replace(ORDER, delivery_id="dlv_2"), Holding())
    assert subject.carried_out() == ["dlv_1", "dlv_2"]


def test_the_lease_is_held_on_to(subject: Subject) -> None:
    """Before the outside is asked."""
    lease = Holding()
    subject.target.send(ORDER, lease)
    assert lease.renewed > 0


def test_a_worker_that_was_overtaken(subject: Subject) -> None:
    """Carries out nothing."""
    with pytest.raises(LeaseLost):
        subject.target.send(ORDER, Holding(lost=True))
    assert subject.carried_out() == []


def posted(url: str, *secrets: bytes) -> None:
    """Send to a receiver."""
    assert isinstance(sender(url, *secrets).send(ORDER, Holding()), Delivered)


def one(peer: Peer) -> Heard:
    """The only request."""
    (heard,) = peer.heard
    return heard


def test_another_implementation_verifies_it() -> None:
    """Standard Webhooks' own library takes the signature, by either secret while they are rotated, and no other."""
    old, wrong = b"whsec_" + base64.b64encode(b"o" * 32), b"whsec_" + base64.b64encode(b"w" * 32)
    with answering(lambda _: Reply(200)) as peer:
        posted(f"{peer.url}/hook", SECRET, old)
    heard = one(peer)
    for secret in (SECRET, old):
        payload = Webhook(secret.decode()).verify(heard.body, dict(heard.headers))
        assert payload["data"]["image"] == f"registry:5000/shop/cart@{ORDER.digest}"
        assert payload["data"]["account"] == "zoë"
    with pytest.raises(Exception, match="signature"):
        Webhook(wrong.decode()).verify(heard.body, dict(heard.headers))


@pytest.mark.parametrize(("path", "asked"), [("", "/"), ("/", "/"), ("/a/b?c=d&e=", "/a/b?c=d&e="), ("?x=1", "/?x=1")])
def test_where_it_is_posted(path: str, asked: str) -> None:
    """The URL's own path and query, under the URL's own name."""
    with answering(lambda _: Reply(200)) as peer:
        posted(peer.url.replace("127.0.0.1", "localhost") + path) if _localhost_is_v4() else posted(peer.url + path)
    heard = one(peer)
    assert (heard.method, heard.path) == ("POST", asked)
    assert heard.headers["host"].endswith(f":{peer.port}")


def _localhost_is_v4() -> bool:
    return all(found[0] == socket.AF_INET for found in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200), Delivered("answered 200")),
        (Reply(204), Delivered("answered 204")),
        (Reply(429, {"Retry-After": "17"}), Retry("answered 429", 17)),
        (Reply(500), Retry("answered 500")),
        (Reply(503, {"Retry-After": "nonsense"}), Retry("answered 503")),
        (Reply(410), Failed("answered 410: it wants no more webhooks")),
        (Reply(404), Failed("answered 404")),
        (Reply(302, {"Location": "/hook"}), Failed("answered 302; redirects are not followed: configure the final URL")),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
def test_answers(reply: Reply, expected: Sent) -> None:
    """What each means; a redirect is not followed."""
    with answering(lambda _: reply) as peer:
        assert sender(f"{peer.url}/hook").send(ORDER, Holding()) == expected
    assert len(peer.heard) == 1


@pytest.mark.parametrize("allow", [(), (ip_network("10.0.0.0/8"),), (ip_network("::1/128"),)], ids=["none", "others", "v6"])
def test_an_address_that_is_not_allowed(allow: tuple[Network, ...]) -> None:
    """Loopback is as private as any: nobody is asked, and an operator is told what to change."""
    with answering(lambda _: Reply(200)) as peer:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "169.254.169.254"):
            if host in {"[::1]", "localhost"} and allow == (ip_network("::1/128"),):
                continue
            refused = sender(f"http://{host}:{peer.port}/", allow=allow).send(ORDER, Holding())
            assert isinstance(refused, Refused), host
    assert peer.heard == []


def test_a_name_that_does_not_resolve() -> None:
    """Later, perhaps."""
    answer = sender("http://does-not-resolve.invalid/").send(ORDER, Holding())
    assert isinstance(answer, Retry)
    assert "does-not-resolve.invalid" in answer.reason


def test_nobody_listens() -> None:
    """Later, perhaps."""
    with answering(lambda _: Reply()) as peer:
        port = peer.port
    assert isinstance(sender(f"http://127.0.0.1:{port}/").send(ORDER, Holding()), Retry)


def test_a_receiver_that_hangs() -> None:
    """It is given up, and asked again later: it may have taken it, and knows the id then."""
    with saying(_only_listens) as peer:
        answer = sender(f"{peer.url}/", timeout_s=0.3).send(ORDER, Holding())
    assert isinstance(answer, Retry)
    assert "in time" in answer.reason


def _only_listens(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def test_secrets_are_not_told() -> None:
    """Neither to the receiver nor in a reason."""
    with answering(lambda _: Reply(500, {}, SECRET)) as peer:
        answer = sender(f"{peer.url}/?token=t0ken").send(ORDER, Holding())
    assert SECRET.decode() not in repr(answer)
    assert SECRET.removeprefix(b"whsec_") not in repr(one(peer)).encode()


def test_another_method_and_headers() -> None:
    """As the receiver wants them."""
    with answering(lambda _: Reply(200)) as peer:
        target = sender(f"{peer.url}/hook", method=Method.PUT, headers={"Authorization": Secret(b"Bearer t0ken")})
        assert isinstance(target.send(ORDER, Holding()), Delivered)
    heard = one(peer)
    assert (heard.method, heard.headers["authorization"]) == ("PUT", "Bearer t0ken")


def test_http_goes_only_to_what_is_allowed() -> None:
    """Also of public addresses: whoever is on the way reads it. Nobody is asked."""
    answer = sender("http://192.88.99.1/", allow=()).send(ORDER, Holding())
    assert answer == Refused(
        'h is at 192.88.99.1, http: goes only to the target\'s allow: to send there, add allow: ["192.88.99.1/32"]'.replace(
            "h", "192.88.99.1", 1
        )
    )


def test_an_authority_of_ones_own(tmp_path: Path) -> None:
    """TLS is taken from whom ``ca_file`` vouches for, and from nobody else; who is not trusted hears nothing."""
    own, other = pair(tmp_path, "own"), pair(tmp_path, "other")
    with answering(lambda _: Reply(200), tls=serving(own)) as peer:
        assert isinstance(sender(peer.url, ca_file=own.certificate).send(ORDER, Holding()), Delivered)
        for trusted in (other.certificate, None):
            answer = sender(peer.url, ca_file=trusted).send(ORDER, Holding())
            assert isinstance(answer, Retry)
            assert "certificate" in answer.reason.lower()
    assert len(peer.heard) == 1


def test_a_certificate_of_another_name(tmp_path: Path) -> None:
    """The URL's own name is what it must be for, though the address was checked."""
    own = pair(tmp_path, "own", "ci.example")
    with answering(lambda _: Reply(200), tls=serving(own)) as peer:
        assert isinstance(sender(peer.url, ca_file=own.certificate).send(ORDER, Holding()), Retry)
    assert peer.heard == []


def test_a_receiver_that_wants_a_certificate(tmp_path: Path) -> None:
    """It is shown the pair of the target; without one, or with another, it takes nothing."""
    own, client, other = pair(tmp_path, "own"), pair(tmp_path, "client", "wharfinger"), pair(tmp_path, "other")
    with answering(lambda _: Reply(200), tls=serving(own, clients=client)) as peer:
        for shown in (None, other):
            assert isinstance(sender(peer.url, ca_file=own.certificate, shown=shown).send(ORDER, Holding()), Retry)
        assert peer.heard == []
        assert isinstance(sender(peer.url, ca_file=own.certificate, shown=client).send(ORDER, Holding()), Delivered)
    assert len(peer.heard) == 1


def test_a_pair_that_is_gone(tmp_path: Path) -> None:
    """It was there when the configuration was read: later, perhaps, and nothing is sent without it."""
    own = pair(tmp_path, "own")
    gone = TlsPair(tmp_path / "gone.crt", tmp_path / "gone.key")
    with answering(lambda _: Reply(200), tls=serving(own)) as peer:
        assert isinstance(sender(peer.url, ca_file=own.certificate, shown=gone).send(ORDER, Holding()), Retry)
    assert peer.heard == []


def test_a_receiver_that_ends_the_connection() -> None:
    """It may have taken it: again, with the same id."""
    answers = [None, Reply(200)]
    with answering(lambda _: answers.pop(0)) as peer:
        target = sender(peer.url)
        assert isinstance(target.send(ORDER, Holding()), Retry)
        assert isinstance(target.send(replace(ORDER, attempt=2), Holding()), Delivered)
    assert [heard.headers["webhook-id"] for heard in peer.heard] == ["dlv_1", "dlv_1"]


def test_a_huge_answer() -> None:
    """Is not read without end."""
    with answering(lambda _: Reply(200, {}, b"x" * (MAX_BODY + 1))) as peer:
        assert isinstance(sender(peer.url).send(ORDER, Holding()), Retry)
