"""Speaks to a cluster with the credentials that it has now: a pod's token is another every hour. Decides nothing."""

import ssl
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from wharfinger.runtime.kubeconfig import ACCOUNT, Cluster, Unusable, read_in_cluster, read_kubeconfig
from wharfinger.runtime.settings import KubernetesTarget, Network
from workers.adapters.conversing import Conversing
from workers.adapters.guarded import Forbidden, guarded_endpoint
from workers.adapters.http import Endpoint
from workers.decide.destination import is_address
from workers.decide.order import Order, Retry, Sent
from workers.decide.targets.kubernetes import Kubernetes
from workers.errors import Unreached
from workers.ports import Lease


class KubernetesRollout:
    """The port ``Target``, as a workload of a cluster. ``account``: where a pod has its token."""

    def __init__(self, settings: KubernetesTarget, *, account: Path = ACCOUNT) -> None:
        self._settings = settings
        self._account = account

    def resume(self, order: Order, lease: Lease) -> Sent | None:
        """Go on with what was begun; None when nothing was."""
        if not lease.noted:
            return None
        found = self._speaking()
        return found if isinstance(found, Retry) else found.resume(order, lease)

    def send(self, order: Order, lease: Lease) -> Sent:
        """Begin a rollout."""
        found = self._speaking()
        return found if isinstance(found, Retry) else found.send(order, lease)

    def _speaking(self) -> Conversing | Retry:
        settings = self._settings
        try:
            if settings.kubeconfig is None:
                cluster = read_in_cluster(settings.server, self._account)
            else:
                cluster = read_kubeconfig(settings.kubeconfig, settings.context)
        except Unusable as fault:
            # It could be used when the configuration was read.
            return Retry(f"the cluster's credentials cannot be used now: {fault}")
        allow = settings.allow if settings.kubeconfig is not None else (*settings.allow, *_own(settings.server))
        talk, host = Kubernetes(settings, cluster.token), urlsplit(cluster.server).netloc
        return Conversing(talk, lambda: _reached(cluster, allow), host)


def _own(server: str) -> tuple[Network, ...]:
    """The cluster that this runs in told us itself where it is: that address needs no word of an operator."""
    host = urlsplit(server).hostname or ""
    return (ip_network(host),) if is_address(host) else ()


def _reached(cluster: Cluster, allow: tuple[Network, ...]) -> Endpoint | Forbidden:
    found = guarded_endpoint(urlsplit(cluster.server), allow)
    if isinstance(found, Forbidden):
        return found
    try:
        return replace(found, name=cluster.server_name or found.name, context=_context(cluster))
    except (ssl.SSLError, ValueError) as error:
        raise Unreached(f"the certificates for {found.name} cannot be used: {type(error).__name__}") from error


def _context(cluster: Cluster) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=cluster.authority.decode("ascii") or None)
    if cluster.certificate and cluster.key is not None:
        # OpenSSL reads a key from a file alone: one of ours, in a folder of ours, for as long as that takes.
        with TemporaryDirectory() as folder:
            pair = Path(folder) / "pair.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(cluster.certificate + b"\n" + cluster.key.reveal())
            context.load_cert_chain(pair)
    return context
