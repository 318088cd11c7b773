"""The configuration as typed values: what each service is told, read once. Leaves reading the file to ``configuration``.

Every value is frozen; secrets print as ``***``. Values that came from a file know its line where a later fault needs it.
"""

from dataclasses import dataclass
from pathlib import Path

from wharfinger.runtime.settings.auth import (
    AUTH_PORT,
    AclRule,
    AuthSettings,
    Command,
    KeyIdForm,
    OnStoreFailure,
    PolicySettings,
    PolicyTest,
    RealIp,
    ServerSettings,
    ServiceSettings,
    ShadowSettings,
    SigningKey,
    SubjectForm,
    TlsSettings,
    TokenSettings,
    User,
    X5c,
)
from wharfinger.runtime.settings.notifier import NOTIFIER_PORT, SILENCE_S, NotifierSettings, Source
from wharfinger.runtime.settings.rules import APPROVE_WITHIN_S, Approvals, Match, Require, Rule, Window
from wharfinger.runtime.settings.targets import (
    FOLLOWED_S,
    ROLLOUT_S,
    ArgoCDTarget,
    CommandTarget,
    DockerTarget,
    DroneTarget,
    FluxTarget,
    ForeignTarget,
    GitHubTarget,
    GitLabTarget,
    JenkinsTarget,
    KubernetesTarget,
    MessageTarget,
    Method,
    Reach,
    Signature,
    SwarmTarget,
    Target,
    Template,
    UpdateOrder,
    WebhookForm,
    WebhookTarget,
    WoodpeckerTarget,
    Workload,
)
from wharfinger.runtime.settings.values import Address, Network, Secret, TlsPair
from wharfinger.runtime.settings.workers import (
    CHECKPOINT_EVERY_S,
    DeploySettings,
    FileForward,
    Forward,
    ForwardForm,
    LogSettings,
    RetentionSettings,
    SyslogForward,
    Witness,
    WorkerSettings,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file, typed. ``embedded``: `up` runs a store of its own below ``data``. ``strict``: warnings are faults."""

    file: Path
    data: Path
    embedded: bool
    auth: AuthSettings
    notifier: NotifierSettings
    workers: WorkerSettings
    strict: bool = False


__all__ = [
    "APPROVE_WITHIN_S",
    "AUTH_PORT",
    "CHECKPOINT_EVERY_S",
    "FOLLOWED_S",
    "NOTIFIER_PORT",
    "ROLLOUT_S",
    "SILENCE_S",
    "AclRule",
    "Address",
    "Approvals",
    "ArgoCDTarget",
    "AuthSettings",
    "Command",
    "CommandTarget",
    "DeploySettings",
    "DockerTarget",
    "DroneTarget",
    "FileForward",
    "FluxTarget",
    "ForeignTarget",
    "Forward",
    "ForwardForm",
    "GitHubTarget",
    "GitLabTarget",
    "JenkinsTarget",
    "KeyIdForm",
    "KubernetesTarget",
    "LogSettings",
    "Match",
    "MessageTarget",
    "Method",
    "Network",
    "NotifierSettings",
    "OnStoreFailure",
    "PolicySettings",
    "PolicyTest",
    "Reach",
    "RealIp",
    "Require",
    "RetentionSettings",
    "Rule",
    "Secret",
    "ServerSettings",
    "ServiceSettings",
    "Settings",
    "ShadowSettings",
    "Signature",
    "SigningKey",
    "Source",
    "SubjectForm",
    "SwarmTarget",
    "SyslogForward",
    "Target",
    "Template",
    "TlsPair",
    "TlsSettings",
    "TokenSettings",
    "UpdateOrder",
    "User",
    "WebhookForm",
    "WebhookTarget",
    "Window",
    "Witness",
    "WoodpeckerTarget",
    "WorkerSettings",
    "Workload",
    "X5c",
]
