"""What each kind of target is told: where it is, what it needs to be let in, and what is to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings.values import Network, Secret, TlsPair

FOLLOWED_S: Final = 3_600.0
"""How long the end of what was begun is waited for, unless the target says otherwise."""
ROLLOUT_S: Final = 600.0
"""The same for what replaces containers, where the time is a health check's and not a pipeline's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """An outside URL and how it is reached.

    ``allow``: private networks it may be in, and all that ``http:`` may go to. ``ca_file`` None: the system's; ``pair``: what
    we show it.
    """

    url: str
    allow: tuple[Network, ...] = ()
    ca_file: Path | None = None
    pair: TlsPair | None = None


class Signature(StrEnum):
    """How a webhook proves whose it is."""

    STANDARD = "standard"
    GITHUB = "github"


class WebhookForm(StrEnum):
    """What a webhook's body is."""

    STANDARD = "standard"
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    CLOUDEVENTS_STRUCTURED = "cloudevents-structured"


class Method(StrEnum):
    """By which method a webhook is sent."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"


@dataclass(frozen=True, slots=True)
class Template:
    """A body of one's own. ``text`` has ``{{name}}`` for the fields of a push; JSON is escaped as such."""

    text: str
    content_type: str


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A receiver of signed webhooks. ``secrets``: each signs, or the first alone where there is room for one signature."""

    name: str
    reach: Reach
    secrets: tuple[Secret, ...]
    line: int
    signature: Signature = Signature.STANDARD
    form: WebhookForm = WebhookForm.STANDARD
    body: Template | None = None
    method: Method = Method.POST
    headers: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DockerTarget:
    """A container of one Docker Engine. ``host``: ``unix:///path`` or ``tcp://host:port``."""

    name: str
    host: str
    container: str
    health_timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubTarget:
    """A workflow of a repository; without ``workflow`` whichever listens to ``event_type``. ``inputs``: texts with fields."""

    name: str
    reach: Reach
    token: Secret
    repository: str
    workflow: str
    ref: str
    event_type: str
    inputs: Mapping[str, str]
    follow: bool
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabTarget:
    """A pipeline of a project, by a trigger token. ``read_token``: for following it; None: it is not followed."""

    name: str
    reach: Reach
    token: Secret
    read_token: Secret | None
    project: str
    ref: str
    variables: Mapping[str, str]
    inputs: Mapping[str, str]
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JenkinsTarget:
    """A job with parameters. ``job``: its full name, folders first."""

    name: str
    reach: Reach
    user: str
    token: Secret
    job: str
    parameters: Mapping[str, str]
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WoodpeckerTarget:
    """A manual pipeline of a repository, by its number."""

    name: str
    reach: Reach
    token: Secret
    repository: str
    branch: str
    variables: Mapping[str, str]
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneTarget:
    """A custom build of a repository. ``branch`` empty: its own."""

    name: str
    reach: Reach
    token: Secret
    repository: str
    branch: str
    parameters: Mapping[str, str]
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoCDTarget:
    """A sync of an application. ``namespace``, ``revision`` empty: its own."""

    name: str
    reach: Reach
    token: Secret
    application: str
    namespace: str
    revision: str
    prune: bool
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxTarget:
    """A receiver of type generic-hmac."""

    name: str
    reach: Reach
    secret: Secret
    line: int


class Workload(StrEnum):
    """What of Kubernetes is rolled out."""

    DEPLOYMENT = "deployment"
    STATEFULSET = "statefulset"
    DAEMONSET = "daemonset"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesTarget:
    """A workload of a cluster. ``container`` empty: its only one.

    ``kubeconfig`` None: the cluster this runs in, whose API is at ``server``; ``context`` empty: the current one.
    """

    name: str
    kind: Workload
    namespace: str
    workload: str
    container: str
    kubeconfig: Path | None
    context: str
    server: str
    allow: tuple[Network, ...]
    timeout_s: float
    line: int


class UpdateOrder(StrEnum):
    """Whether a new task runs before the old one ends."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmTarget:
    """A service of a swarm. ``host``: a manager's Engine, ``unix:///path`` or ``tcp://host:port``."""

    name: str
    host: str
    service: str
    order: UpdateOrder
    timeout_s: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTarget:
    """A program on this machine. ``repeatable``: it may be run again for the same delivery, whatever it had done of it."""

    name: str
    program: tuple[str, ...]
    environment: Mapping[str, Secret]
    timeout_s: float
    repeatable: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTarget:
    """People, by addresses as Apprise has them, each a secret. ``title``, ``body``: texts with fields."""

    name: str
    urls: tuple[Secret, ...]
    title: str
    body: str
    allow: tuple[Network, ...]
    line: int


@dataclass(frozen=True, slots=True)
class ForeignTarget:
    """A target of a kind that another package adds. ``settings``: whatever its reader made."""

    name: str
    kind: str
    settings: object
    line: int


Target = (
    WebhookTarget
    | DockerTarget
    | GitHubTarget
    | GitLabTarget
    | JenkinsTarget
    | WoodpeckerTarget
    | DroneTarget
    | ArgoCDTarget
    | FluxTarget
    | KubernetesTarget
    | SwarmTarget
    | CommandTarget
    | MessageTarget
    | ForeignTarget
)
