"""What the token service is told: where it serves, whom it knows, what its access list says, how it signs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from wharfinger.runtime.settings.values import Address, Secret, TlsPair

AUTH_PORT: Final = 5001


class KeyIdForm(StrEnum):
    """How a token names its signing key."""

    LIBTRUST = "libtrust"
    """Registry 2.8 with ``rootcertbundle``."""
    RFC7638 = "rfc7638"
    """Registry 3.x with ``rootcertbundle``."""
    CUSTOM = "custom"
    """The key's own ``id``: for a registry that reads ``jwks``."""


class X5c(StrEnum):
    """Whether a token carries its certificate: every registry with ``rootcertbundle`` takes that, none with ``jwks`` alone."""

    AUTO = "auto"
    """Until the certificate expires."""
    NEVER = "never"
    ALWAYS = "always"


class SubjectForm(StrEnum):
    """What a token's ``sub`` is, and so what a registry's events name."""

    WITH_ID = "account#jti"
    ACCOUNT = "account"
    """Plain, for others that read the registry's notifications; attribution is inferred then."""


class OnStoreFailure(StrEnum):
    """What becomes of a token request while Redis does not answer."""

    REFUSE = "refuse"
    SPOOL = "spool"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How HTTPS is spoken. ``min_version``: of ``ssl.TLSVersion``; ``curve``, ``ciphers``: OpenSSL's names, empty: its own."""

    pair: TlsPair
    min_version: str = "TLSv1_2"
    curve: str = ""
    ciphers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RealIp:
    """The client's address stands in a header that a trusted proxy writes; ``position`` in its list, negative from the end."""

    header: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how the token service serves. ``processes`` share the address."""

    listen: Address
    tls: TlsSettings | None = None
    path_prefix: str = ""
    real_ip: RealIp | None = None
    hsts: bool = False
    processes: int = 1


@dataclass(frozen=True, slots=True)
class User:
    """A user of the file. ``password_hash`` is bcrypt's text; None: any password (docker_auth's ``{}``)."""

    name: str
    password_hash: Secret | None
    line: int
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    column: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A program that decides, with its first arguments: docker_auth's ``ext_auth`` and ``ext_authz``."""

    program: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AclRule:
    """One access rule as it stands in the file; None is an absent condition. Satisfies ``policy.RuleSource``.

    ``accounts``: a list instead of the one ``account``. ``places``: line and column of each condition's key, for faults.
    """

    line: int
    account: str | None = None
    type: str | None = None
    name: str | None = None
    service: str | None = None
    ip: str | None = None
    labels: Mapping[str, str] | None = None
    actions: tuple[str, ...] = ()
    comment: str = ""
    accounts: tuple[str, ...] | None = None
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """How the access list is read, beyond docker_auth's way. ``union``: every rule that matches adds its actions.

    ``double_star``: ``**`` in a glob crosses slashes. ``account_lists``: a match may list accounts.
    """

    union: bool = False
    double_star: bool = False
    account_lists: bool = False


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """What a request must be granted: a test of the access list, run by ``check``."""

    line: int
    account: str
    type: str
    name: str
    service: str
    ip: str
    labels: Mapping[str, tuple[str, ...]]
    actions: tuple[str, ...]
    expect: tuple[str, ...]
    column: int = 0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A pair that signs tokens; without ``key`` it is only published, for older tokens. ``signs_from``: epoch seconds."""

    id: str
    certificate: Path
    key: Path | None
    signs_from: int = 0
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How tokens for one service (``auth.token.service``) are signed. ``key``: a signing key's id; empty: the current one."""

    key_id: KeyIdForm = KeyIdForm.LIBTRUST
    x5c: X5c = X5c.AUTO
    key: str = ""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How tokens are made. ``jti_keys`` prove ids, the first mints. ``algorithm`` is for RSA keys; others have their own."""

    issuer: str
    expiration_s: int
    keys: tuple[SigningKey, ...]
    jti_keys: tuple[Secret, ...]
    algorithm: str = "RS256"
    default: ServiceSettings = field(default_factory=ServiceSettings)
    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    subject: SubjectForm = SubjectForm.WITH_ID
    jti_since: int | None = None
    """Epoch seconds from which on every token has an id; None: an event without one is no alarm."""


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """A docker_auth to stand in front of: its base URL, and where the proxy listens."""

    upstream: str
    listen: Address


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """All that authsvc is told. ``users``, ``acl`` None: no such back-end is configured.

    ``spool``: folder of the journal; ``spool_budget``: bytes that it may take before tokens are refused. ``log_tokens``: each
    token has a line in the log.
    """

    server: ServerSettings
    token: TokenSettings
    users: tuple[User, ...] | None
    acl: tuple[AclRule, ...] | None
    redis_url: str
    spool: Path
    ext_auth: Command | None = None
    ext_authz: Command | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    tests: tuple[PolicyTest, ...] = ()
    on_store_failure: OnStoreFailure = OnStoreFailure.REFUSE
    shadow: ShadowSettings | None = None
    log_tokens: bool = True
    spool_budget: int = 256 * 1024**2
