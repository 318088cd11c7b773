"""``type: kubernetes``: a Deployment, StatefulSet or DaemonSet, of a kubeconfig's cluster or of the one this runs in."""

import re
from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.targets.reach import read_timeout
from wharfinger.runtime.configuration.texts import networks
from wharfinger.runtime.kubeconfig import Unusable, read_kubeconfig
from wharfinger.runtime.settings import ROLLOUT_S, KubernetesTarget, Workload
from wharfinger.runtime.yaml_nodes import Section

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


def read_kubernetes(name: str, section: Section) -> KubernetesTarget | None:
    """What is rolled out where, and as whom."""
    kind = section.choice("kind", Workload, Workload.DEPLOYMENT)
    namespace = _name(section, "namespace", "default")
    workload = _name(section, "workload", None)
    container = _name(section, "container", "")
    kubeconfig, context = section.path_of("kubeconfig"), section.text("context", "") or ""
    server = ""
    if kubeconfig is not None:
        _try(section, kubeconfig, context)
    else:
        if context:
            section.fault("context", "is of a kubeconfig, and none is named", "name it, or leave the context out")
        server = _in_cluster(section)
    allow, timeout_s = networks(section), read_timeout(section, ROLLOUT_S)
    section.done()
    if not workload:
        return None
    return KubernetesTarget(
        name=name,
        kind=kind,
        namespace=namespace,
        workload=workload,
        container=container,
        kubeconfig=kubeconfig,
        context=context,
        server=server,
        allow=allow,
        timeout_s=timeout_s,
        line=section.line,
    )


def _name(section: Section, key: str, default: str | None) -> str:
    found = section.text(key, default, required=default is None) or ""
    if found and _NAME.fullmatch(found) is None:
        section.fault(key, f"{found!r} is no name of Kubernetes", "write it as `kubectl get` shows it")
    return found


def _try(section: Section, file: Path, context: str) -> None:
    try:
        read_kubeconfig(file, context)
    except Unusable as fault:
        section.fault("kubeconfig", f"cannot be used: {fault}", "correct it, or name another context")


def _in_cluster(section: Section) -> str:
    host, port = (section.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not host or not port:
        section.fault("kubeconfig", "is missing, and this is no pod of a cluster", "name a kubeconfig")
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
