"""A workload of a cluster, through TLS and with the credentials of a kubeconfig or of a pod: rolled out, or gone back."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.certificates import pair, serving
from tests.kubernetes_server import PATH, RUNS, TOKEN, Cluster
from tests.servers import Peer, Reply, answering
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime.settings import KubernetesTarget, Network, TlsPair, Workload
from workers.adapters.kubernetes import KubernetesRollout
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Unchanged, Undone, Waiting

pytestmark = pytest.mark.real
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Site:
    """A cluster, and a folder with what we have of it."""

    folder: Path
    cluster: Cluster
    peer: Peer
    own: TlsPair
    lease: Holding = field(default_factory=Holding)

    def kubeconfig(self, **user: object) -> Path:
        """As `kubectl config view` shows one."""
        file = self.folder / "kubeconfig"
        file.write_text(
            yaml.safe_dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": self.peer.url, "certificate-authority": str(self.own.certificate)}}],
                "users": [{"name": "u", "user": user or {"token": TOKEN}}],
            })
        )  # fmt: skip
        return file

    def target(
        self, kubeconfig: Path | None = None, *, allow: tuple[Network, ...] = LOOPBACK, **more: Any
    ) -> KubernetesRollout:
        """As a worker has it that was just started."""
        settings = KubernetesTarget(
            name="k", kind=Workload.DEPLOYMENT, namespace="shop", workload=more.get("workload", "cart"), container="",
            kubeconfig=kubeconfig, context="", server=self.peer.url, allow=allow, timeout_s=600, line=1,
        )  # fmt: skip
        return KubernetesRollout(settings, account=self.folder)

    def claim(self, target: KubernetesRollout | None = None) -> Sent:
        """One claim."""
        asked = target or self.target(self.kubeconfig())
        return asked.resume(ORDER, self.lease) or asked.send(ORDER, self.lease)

    def to_the_end(self, target: KubernetesRollout | None = None, most: int = 30) -> Sent:
        """Claim after claim."""
        for _ in range(most):
            sent = self.claim(target)
            if not isinstance(sent, Waiting | Retry):
                return sent
        pytest.fail(f"no end came: {sent}")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A cluster that is there."""
    own, cluster = pair(tmp_path, "cluster"), Cluster()
    with answering(cluster, tls=serving(own)) as peer:
        yield Site(tmp_path, cluster, peer, own)


def test_a_rollout(site: Site) -> None:
    """Tried first, changed once, and followed until all of it runs."""
    assert site.to_the_end() == Delivered("deployment shop/cart is rolled out")
    assert site.cluster.images == ["reg:5000/shop/cart:v0", ORDER.image()]
    assert site.cluster.annotations["wharfinger.dev/delivery"] == "dlv_1"
    patches = [heard.path for heard in site.peer.heard if heard.method == "PATCH"]
    assert [path.endswith("dryRun=All") for path in patches] == [True, False]


def test_a_rollout_that_fails(site: Site) -> None:
    """Is gone back, by the digest that its pods ran: the tag it was made from may be the broken image by now."""
    site.cluster.broken.add(ORDER.image())
    before = f"reg:5000/shop/cart@{RUNS}"
    assert site.to_the_end() == Undone(f"its progress deadline was exceeded: it has timed out; {before} serves again")
    assert site.cluster.images == ["reg:5000/shop/cart:v0", ORDER.image(), before]


def test_an_answer_that_is_lost(site: Site) -> None:
    """The change was made, and the connection ended without a word: it is seen in the object, and made once."""
    site.cluster.lose = 1
    assert isinstance(site.to_the_end(), Delivered)
    assert site.cluster.images == ["reg:5000/shop/cart:v0", ORDER.image()]


class Killed(Holding):
    """The lease of a worker that dies before one of its steps."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def renew(self) -> None:
        """One step more."""
        if self._left == 0:
            raise LeaseLost("killed")
        self._left -= 1


@pytest.mark.parametrize("broken", [False, True])
def test_a_worker_that_is_killed_at_any_step(site: Site, broken: bool) -> None:  # noqa: FBT001 - both ends
    """What it had kept is all that the next one knows; the end is the same."""
    if broken:
        site.cluster.broken.add(ORDER.image())
    before = f"reg:5000/shop/cart@{RUNS}"
    for steps in range(12 if broken else 8):
        site.cluster.images, site.cluster.annotations, site.cluster.looks = ["reg:5000/shop/cart:v0"], {}, 9
        site.lease = Killed(steps)
        with pytest.raises(LeaseLost):
            site.to_the_end()
        site.lease = Holding(kept=site.lease.kept)
        if site.lease.noted and len(site.cluster.images) == 1:
            # Kept, and not asked for: a minute later it is known that it had not begun.
            site.lease.note({**site.lease.noted, "asked": "0"})
        assert isinstance(site.to_the_end(), Undone if broken else Delivered), steps
        assert site.cluster.images == ["reg:5000/shop/cart:v0", ORDER.image(), *([before] if broken else [])], steps


def test_the_digest_that_is_there(site: Site) -> None:
    """Nothing is changed."""
    site.cluster.images.append(ORDER.image())
    assert site.claim() == Unchanged("deployment shop/cart names this digest already")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(429, {"Retry-After": "3"}), Retry("answered 429", 3.0)),
        (Reply(500), Retry("answered 500")),
        (Reply(302, {"Location": "/x"}), Failed("answered 302; redirects are not followed: configure the final URL")),
    ],
)
def test_trouble(site: Site, reply: Reply, expected: Sent) -> None:
    """Before anything is changed: later, or never."""
    site.cluster.trouble = [reply]
    assert site.claim() == expected
    assert (site.lease.noted, len(site.cluster.images)) == ({}, 1)


def test_what_the_cluster_denies(site: Site) -> None:
    """Is found by trying."""
    site.cluster.denied = "admission webhook: images must be signed"
    assert site.claim() == Failed("answered 403: admission webhook: images must be signed")
    assert len(site.cluster.images) == 1


def test_somebody_changes_it_meanwhile(site: Site) -> None:
    """Is not overruled: later, with what it is then."""
    original = site.cluster._shown

    def shown_and_changed() -> Reply:
        reply = original()
        site.cluster.version += 1
        return reply

    site.cluster._shown = shown_and_changed  # type: ignore[method-assign]  # somebody else, between our look and our change
    sent = site.claim()
    assert isinstance(sent, Retry)
    assert "modified" in sent.reason
    assert len(site.cluster.images) == 1


def test_no_such_workload(site: Site) -> None:
    """A person makes it once."""
    sent = site.target(site.kubeconfig(), workload="crat").send(ORDER, site.lease)
    assert sent == Refused("there is no deployment shop/crat; create it once, with all that it needs")


def test_in_the_cluster(site: Site) -> None:
    """A pod's token is read each time, for it is another every hour; the cluster's own address needs no allow."""
    (site.folder / "ca.crt").write_bytes(site.own.certificate.read_bytes())
    (site.folder / "token").write_text("an older one")
    target = site.target(allow=())
    assert site.claim(target) == Failed("answered 401: Unauthorized")
    (site.folder / "token").write_text(TOKEN)
    assert isinstance(site.to_the_end(target), Delivered)


def test_a_private_cluster_that_is_not_allowed(site: Site) -> None:
    """A kubeconfig is not enough: nothing is sent."""
    assert isinstance(site.claim(site.target(site.kubeconfig(), allow=())), Refused)
    assert site.peer.heard == []


def test_a_kubeconfig_that_is_gone(site: Site) -> None:
    """It was there when the configuration was read: later, and what was begun goes on then."""
    assert isinstance(site.claim(), Waiting)
    gone = site.target(site.folder / "gone")
    assert isinstance(site.claim(gone), Retry)
    assert isinstance(gone.send(ORDER, Holding()), Retry)
    assert isinstance(site.to_the_end(), Delivered)


@pytest.mark.parametrize("inline", [True, False])
def test_a_client_certificate(tmp_path: Path, inline: bool) -> None:  # noqa: FBT001 - both ways
    """Says who we are, from files or out of the kubeconfig itself; nothing of it is left on disk."""
    own, client = pair(tmp_path, "cluster"), pair(tmp_path, "client", "wharfinger")
    cluster = Cluster(token="")
    with answering(cluster, tls=serving(own, clients=client)) as peer:
        site = Site(tmp_path, cluster, peer, own)
        there = {"client-certificate": client.certificate, "client-key": client.key}
        user = (
            {f"{name}-data": base64.b64encode(file.read_bytes()).decode() for name, file in there.items()}
            if inline
            else {name: str(file) for name, file in there.items()}
        )
        assert isinstance(site.to_the_end(site.target(site.kubeconfig(**user))), Delivered)
        nobody = site.target(site.kubeconfig(token="x"))
        assert isinstance(nobody.send(replace(ORDER, delivery_id="dlv_2"), Holding()), Retry)


def test_a_cluster_that_nobody_vouches_for(site: Site, tmp_path: Path) -> None:
    """Hears nothing."""
    other = pair(tmp_path, "other")
    file = site.kubeconfig()
    file.write_text(file.read_text().replace(str(site.own.certificate), str(other.certificate)))
    sent = site.claim(site.target(file))
    assert isinstance(sent, Retry)
    assert site.peer.heard == []


def test_certificates_that_are_none(site: Site) -> None:
    """Are said to be so, without what stands in them."""
    junk = base64.b64encode(b"s3cret").decode()
    sent = site.claim(site.target(site.kubeconfig(**{"client-certificate-data": junk, "client-key-data": junk})))
    assert isinstance(sent, Retry)
    assert "certificates" in sent.reason
    assert "s3cret" not in sent.reason


def test_the_requests(site: Site) -> None:
    """As they are documented, and under the cluster's own name."""
    site.claim()
    look, pods, tried, changed = site.peer.heard
    assert [one.method for one in (look, pods, tried, changed)] == ["GET", "GET", "PATCH", "PATCH"]
    assert (look.path, look.headers["host"]) == (PATH, f"127.0.0.1:{site.peer.port}")
    assert json.loads(tried.body) == json.loads(changed.body)
