"""The configuration as typed values: what each service is told, read once. Leaves reading the file to ``configuration``.

Every value is frozen; secrets print as ``***``. Values that came from a file know its line where a later fault needs it.
"""

import hmac
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

Network = IPv4Network | IPv6Network

AUTH_PORT: Final = 5001
NOTIFIER_PORT: Final = 5002
CHECKPOINT_EVERY_S: Final = 60.0


class Secret:
    """Bytes that must not be shown: prints as ``***``, compares in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would let a set tell secrets apart

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> bytes:
        """The bytes, for the one call that needs them."""
        return self._value

    def matches(self, claimed: bytes) -> bool:
        """Whether a claimed value is this one, in time that does not tell how near it came."""
        return hmac.compare_digest(self._value, claimed)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens: host (empty: every interface) and TCP port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TlsPair:
    """Paths of a PEM certificate (chain) and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class User:
    """A user of the file. ``password_hash`` is bcrypt's text; None: any password (docker_auth's ``{}``)."""

    name: str
    password_hash: Secret | None
    line: int


@dataclass(frozen=True, slots=True)
class AclRule:
    """One access rule as it stands in the file; None is an absent condition. Satisfies ``policy.RuleSource``."""

    line: int
    account: str | None = None
    type: str | None = None
    name: str | None = None
    service: str | None = None
    ip: str | None = None
    labels: None = None
    actions: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How tokens are made. ``pair`` signs; ``jti_keys`` prove ids, the first mints."""

    issuer: str
    expiration_s: int
    pair: TlsPair
    jti_keys: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """All that authsvc is told. Without ``tls`` it serves plain HTTP."""

    listen: Address
    tls: TlsPair | None
    token: TokenSettings
    users: tuple[User, ...]
    acl: tuple[AclRule, ...]
    redis_url: str


@dataclass(frozen=True, slots=True)
class Source:
    """A registry whose notifications are accepted, and how it is reached for reading tags back.

    ``secrets``: any of them authorises a post (two while rotating). ``registry``: base URL, no trailing slash.
    ``pull_host``: ``host[:port]`` under which its images are named. ``allow``: who may post; empty: anybody with the secret.
    ``ca``: PEM certificates that it and its token service are trusted by; None: the system's.
    """

    name: str
    secrets: tuple[Secret, ...]
    registry: str
    pull_host: str
    account: str
    password: Secret | None
    allow: tuple[Network, ...] = ()
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """All that the notifier is told. ``spill_budget``: bytes that spilled bodies may take before it answers 503."""

    listen: Address
    sources: tuple[Source, ...]
    spill: Path
    redis_url: str
    spill_budget: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Match:
    """Globs a push must meet: ``path.Match`` on the repository; the same on the tag. None: anything."""

    repository: str | None
    tag: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A deployment rule: which pushes go to which targets."""

    name: str
    match: Match
    require: str
    targets: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A receiver of signed webhooks. ``secrets``: ``whsec_…`` texts, each signs. ``allow``: private networks it may be in."""

    name: str
    url: str
    secrets: tuple[Secret, ...]
    allow: tuple[Network, ...]
    line: int


@dataclass(frozen=True, slots=True)
class DockerTarget:
    """A container of one Docker Engine. ``host``: ``unix:///path`` or ``tcp://host:port``."""

    name: str
    host: str
    container: str
    health_timeout_s: float
    line: int


Target = WebhookTarget | DockerTarget


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
    ``former_vkeys``: keys whose checkpoints still count.
    """

    key: Secret | None
    key_file: Path
    origin: str = ""
    former_vkeys: tuple[str, ...] = ()
    checkpoint_every_s: float = CHECKPOINT_EVERY_S
    witnesses: tuple[Witness, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """All that workers are told. ``jti_keys``: every key that ever minted ids still to be verified."""

    ledger_url: str
    redis_url: str
    spill: Path
    jti_keys: tuple[Secret, ...]
    sources: tuple[Source, ...]
    deploy: DeploySettings
    log: LogSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file, typed. ``embedded``: `up` runs a store of its own below ``data``."""

    file: Path
    data: Path
    embedded: bool
    auth: AuthSettings
    notifier: NotifierSettings
    workers: WorkerSettings = field()
