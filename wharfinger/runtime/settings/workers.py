"""What the workers are told: the ledger, the rules of deployment, who gets the trail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings.notifier import Source
from wharfinger.runtime.settings.rules import Rule
from wharfinger.runtime.settings.targets import Target
from wharfinger.runtime.settings.values import Address, Network, Secret, TlsPair

CHECKPOINT_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """Rules and the targets they name."""

    rules: tuple[Rule, ...] = ()
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """Who is asked to cosign the log's checkpoints. ``vkey``: its verifier key; ``allow``: private networks it may be in."""

    name: str
    url: str
    vkey: str
    allow: tuple[Network, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How the log's checkpoints are signed.

    ``key``: an Ed25519 key, PEM; None: this machine has none. ``origin``: the log's name; empty: made of the key.
    ``former_vkeys``: keys whose checkpoints still count. ``lines``: where each setting stands that the file has, for faults.
    """

    key: Secret | None
    key_file: Path
    origin: str = ""
    former_vkeys: tuple[str, ...] = ()
    checkpoint_every_s: float = CHECKPOINT_EVERY_S
    witnesses: tuple[Witness, ...] = ()
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


class ForwardForm(StrEnum):
    """What a forwarded record is written as: those of ``ledger.formats.Format`` that are JSON."""

    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"
    OCSF = "ocsf"


@dataclass(frozen=True, slots=True)
class FileForward:
    """The trail into a file, that something else reads and turns over."""

    name: str
    file: Path
    form: ForwardForm
    line: int


@dataclass(frozen=True, slots=True)
class SyslogForward:
    """The trail to a syslog server over TLS, RFC 5425. ``ca_file`` None: the system's; ``pair``: what we show it."""

    name: str
    host: str
    port: int
    form: ForwardForm
    ca_file: Path | None
    pair: TlsPair | None
    line: int


Forward = FileForward | SyslogForward


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long what is kept, in seconds, by the names of ``ledger.pruning.Kept``; what is not named is kept for ever."""

    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """All that workers are told. ``jti_keys``: every key that ever minted ids still to be verified.

    ``infers``: tokens carry plain subjects. ``ids_since_ms``: an event without a token id is an alarm from then on.
    ``alarm_targets``: webhooks that hear of alarms. ``listen``: where their numbers are served; None: nowhere.
    ``forwards``: other systems that get the trail.
    """

    ledger_url: str
    redis_url: str
    spill: Path
    jti_keys: tuple[Secret, ...]
    sources: tuple[Source, ...]
    deploy: DeploySettings
    log: LogSettings
    infers: bool = False
    ids_since_ms: int | None = None
    alarm_targets: tuple[str, ...] = ()
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    listen: Address | None = None
    forwards: tuple[Forward, ...] = ()
