"""The configuration file: docker_auth's keys and ours, into typed settings, or every fault at once. Starts nothing.

Source of docker_auth's keys: its examples/reference.yml. What is not built yet is a fault, never ignored: an access rule whose
condition is not understood would match everybody.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from wharfinger.runtime import settings as typed
from wharfinger.runtime.durations import parse_duration
from wharfinger.runtime.settings import Address, Secret, TlsPair
from wharfinger.runtime.yaml_nodes import Fault, Faults, Section, compose, is_null

MIN_SECRET: Final = 16
MIN_JTI_KEY: Final = 32
DAY_S: Final = 86_400
MIN_EXPIRATION_S: Final = 60
LOG_KEY: Final = "log.key"
"""The log's own key below ``data``, unless the file names another."""
MIN_CHECKPOINT_S: Final = 1.0
_BCRYPT: Final = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PORT_MAX: Final = 65_535

_LATER_TOP: Final = frozenset(
    {
        "ext_auth", "google_auth", "github_auth", "gitlab_auth", "oidc_auth", "ldap_auth", "mongo_auth", "xorm_auth",
        "plugin_authn", "acl_mongo", "acl_xorm", "ext_authz", "plugin_authz", "casbin_authz", "console", "strict", "federation",
    }
)  # fmt: skip
_LATER_SERVER: Final = frozenset(
    {
        "net", "path_prefix", "real_ip_header", "real_ip_pos", "hsts", "tls_min_version", "tls_curve_preferences",
        "tls_cipher_suites", "letsencrypt",
    }
)  # fmt: skip
_LATER_TOKEN: Final = frozenset({"disable_legacy_key_id", "subject", "key_id", "x5c"})
_LATER_RULE: Final = frozenset({"debounce", "approvals", "window", "cooldown", "semver"})
_LATER_TARGET: Final = frozenset({"tls", "headers", "method", "network"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as read: settings unless there are faults, and what was found."""

    settings: typed.Settings | None
    found: tuple[Fault, ...]

    def faults(self) -> tuple[Fault, ...]:
        """What keeps everything from starting."""
        return tuple(fault for fault in self.found if not fault.warning)


def load(file: Path, *, data: Path, environ: Mapping[str, str]) -> Loaded:
    """Read a configuration file.

    Args:
        file: YAML; paths in it are relative to its folder.
        data: where keys, ledger and the embedded store are unless the file says otherwise.
        environ: for ``${NAME}`` in our own sections.
    """
    faults = Faults()
    node = compose(file, faults)
    settings = None if node is None else _settings(Section(node, "", faults, environ, file.parent), file, data)
    found = tuple(sorted(faults.found))
    return Loaded(None if any(not fault.warning for fault in found) else settings, found)


def _settings(top: Section, file: Path, data: Path) -> typed.Settings | None:
    redis_url = _redis(top.section("redis"))
    embedded = redis_url is None
    ledger_url, log = _ledger(top.section("ledger"), data)
    server = _required(top, "server")
    token = _required(top, "token")
    listen, tls = _server(server)
    token_settings = _token(token, tls, data, embedded=embedded)
    users, acl = _users(top), _acl(top)
    notifier = top.section("notifier")
    sources = _sources(notifier)
    notifier_listen = Address("", typed.NOTIFIER_PORT)
    if notifier is not None:
        notifier_listen = notifier.parsed("addr", parse_address, "write HOST:PORT or :5002", default=notifier_listen)
        notifier.done()
    deploy = _deploy(top.section("deploy"))
    top.done(_LATER_TOP)
    if token_settings is None:
        return None
    url = redis_url or ""
    spill = data / "spill"
    return typed.Settings(
        file=file,
        data=data,
        embedded=embedded,
        auth=typed.AuthSettings(listen, tls, token_settings, users, acl, url),
        notifier=typed.NotifierSettings(notifier_listen, sources, spill, url),
        workers=typed.WorkerSettings(ledger_url, url, spill, token_settings.jti_keys, sources, deploy, log),
    )


def _required(top: Section, name: str) -> Section | None:
    section = top.section(name)
    if section is None:
        top.faults.add(0, name, "is missing", f"add a section {name}:; `wharfinger init` makes a whole file")
    return section


def _redis(section: Section | None) -> str | None:
    if section is None:
        return None
    url = section.expanded("url", required=True)
    section.done()
    if url is not None and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        section.fault("url", "is not a redis:// , rediss:// or unix:// URL", "write redis://HOST:6379/0")
    return url


def _ledger(section: Section | None, data: Path) -> tuple[str, typed.LogSettings]:
    default = f"sqlite:///{data.absolute() / 'ledger.db'}"
    if section is None:
        return default, _log(None, data)
    url, log = section.expanded("url") or default, _log(section, data)
    section.done()
    if url.startswith("postgresql"):
        section.fault("url", "PostgreSQL is known, but not built yet", "use sqlite:///PATH")
    elif not url.startswith("sqlite:///"):
        section.fault("url", "is not a sqlite:///PATH URL", "write sqlite:////absolute/path, or leave it out")
    return url, log


def _log(section: Section | None, data: Path) -> typed.LogSettings:
    file = data / LOG_KEY
    if section is None:
        return typed.LogSettings(key=_read_if_there(file), key_file=file)
    named = section.path_of("log_key_file")
    if named is not None and not named.is_file():
        section.fault("log_key_file", f"there is no file {named}", "restore it, or make one as docs/audit.md shows")
    every = section.parsed("checkpoint_every", parse_duration, "write 60s", default=typed.CHECKPOINT_EVERY_S)
    if every < MIN_CHECKPOINT_S:
        section.fault("checkpoint_every", f"is below {MIN_CHECKPOINT_S:.0f} s", "write 60s")
    entries = [Section(node, key, section.faults, section.environ, section.folder) for key, node in section.items("witnesses")]
    return typed.LogSettings(
        key=_read_if_there(named or file),
        key_file=named or file,
        origin=section.text("origin", "") or "",
        former_vkeys=section.texts("former_vkeys"),
        checkpoint_every_s=every,
        witnesses=tuple(_witness(entry) for entry in entries),
        line=section.line,
    )


def _witness(section: Section) -> typed.Witness:
    name = section.text("name", required=True) or ""
    url = section.parsed("url", parse_base_url, "write https://witness.example/prefix", default="", required=True)
    vkey = section.text("vkey", required=True) or ""
    allow = _networks(section)
    section.done()
    return typed.Witness(name, url, vkey, allow, section.line)


def _read_if_there(file: Path) -> Secret | None:
    # A machine that runs no workers signs no checkpoints, and needs no key for it.
    try:
        return Secret(file.read_bytes())
    except OSError:
        return None


def _pair(section: Section) -> TlsPair | None:
    certificate, key = section.path_of("certificate"), section.path_of("key")
    if (certificate is None) != (key is None):
        name = "key" if key is None else "certificate"
        section.fault(name, "is missing beside the other of the pair", "give both certificate and key, or neither")
    if certificate is None or key is None:
        return None
    for name, path in (("certificate", certificate), ("key", key)):
        if not path.is_file():
            section.fault(name, f"there is no file {path}", "correct the path, or make the pair with `wharfinger init`")
    return TlsPair(certificate, key)


def _server(section: Section | None) -> tuple[Address, TlsPair | None]:
    default = Address("", typed.AUTH_PORT)
    if section is None:
        return default, None
    listen = section.parsed("addr", parse_address, "write HOST:PORT or :5001", default=default, required=True)
    pair = _pair(section)
    section.done(_LATER_SERVER)
    return listen, pair


def _token(section: Section | None, tls: TlsPair | None, data: Path, *, embedded: bool) -> typed.TokenSettings | None:
    if section is None:
        return None
    issuer = section.text("issuer", required=True)
    expiration = section.number("expiration", required=True)
    if expiration is not None and expiration <= 0:
        section.fault("expiration", "is not above zero", "write seconds, 900 is usual")
    elif expiration is not None and expiration < MIN_EXPIRATION_S:
        remedy = "write 60 or more"
        section.faults.warn(section.line_of("expiration"), section.path("expiration"), "is below the protocol's 60 s", remedy)
    elif expiration is not None and expiration > DAY_S:
        remedy = "900 s is usual: clients fetch new tokens by themselves"
        section.faults.warn(section.line_of("expiration"), section.path("expiration"), "is more than a day", remedy)
    pair = _pair(section) or tls
    if pair is None:
        remedy = "add certificate and key to token, or to server"
        section.faults.add(section.line, section.path("certificate"), "there is no pair to sign tokens with", remedy)
    keys = _jti_keys(section, data, embedded=embedded)
    section.done(_LATER_TOKEN)
    if issuer is None or expiration is None or pair is None:
        return None
    return typed.TokenSettings(issuer, expiration, pair, keys)


def _jti_keys(section: Section, data: Path, *, embedded: bool) -> tuple[Secret, ...]:
    file = section.path_of("jti_key_file")
    if file is None:
        if not embedded:
            remedy = "name a file that all token services share; `wharfinger init` makes one"
            section.faults.add(section.line, section.path("jti_key_file"), "is missing, and redis.url is set", remedy)
            return ()
        file = data / "jti.key"
    try:
        lines = file.read_text("ascii").split()
        keys = tuple(Secret(base64.b64decode(line, validate=True)) for line in lines)
    except (OSError, UnicodeDecodeError, binascii.Error) as error:
        problem = error.strerror if isinstance(error, OSError) else "not base64, a key a line"
        section.fault("jti_key_file", f"{file} cannot be read: {problem}", "`wharfinger init` makes one")
        return ()
    if not keys or any(len(key.reveal()) < MIN_JTI_KEY for key in keys):
        section.fault("jti_key_file", f"{file} holds no key, or one below {MIN_JTI_KEY} bytes", "`wharfinger init` makes one")
    return keys


def _users(top: Section) -> tuple[typed.User, ...]:
    section = top.section("users")
    if section is None and top.node("users") is None:
        remedy = "add users:, with '': {} if anybody may come without a password"
        top.faults.add(0, "users", "no way to authenticate is configured", remedy)
    if section is None:
        return ()
    users = []
    for name in section.names():
        line = section.line_of(name)
        user = section.section(name)
        if user is None:
            continue  # docker_auth: a user whose value is null does not exist
        password = user.text("password")
        user.done(frozenset({"labels"}))
        if password is not None and _BCRYPT.fullmatch(password.strip()) is None:
            remedy = "make it with `htpasswd -nBC 10 NAME`, and keep what follows the colon"
            user.fault("password", "is no bcrypt hash ($2y$, $2a$ or $2b$), so nobody could log in", remedy)
        if password is None and name:
            remedy = "give it a password, unless that is meant"
            section.faults.warn(line, section.path(name), "has no password: anybody is let in under this name", remedy)
        users.append(typed.User(name, None if password is None else Secret(password.strip().encode()), line))
    return tuple(users)


def _acl(top: Section) -> tuple[typed.AclRule, ...]:
    if not top.has("acl"):
        top.node("acl")
        top.faults.add(0, "acl", "no access list is configured", "add acl:, an empty list [] denies everything")
        return ()
    return tuple(_rule(Section(node, key, top.faults, top.environ, top.folder)) for key, node in top.items("acl"))


def _rule(section: Section) -> typed.AclRule:
    match = section.section("match")
    if match is None and not isinstance(section.node("match"), yaml.MappingNode):
        remedy = "add match:, with {} if it is meant for everybody"
        section.faults.add(section.line, section.path("match"), "is missing; docker_auth would crash", remedy)
    values: dict[str, str | None] = {}
    if match is not None:
        values = {name: match.text(name) for name in ("account", "type", "name", "service", "ip")}
        match.done(frozenset({"labels"}))
    if not section.has("actions"):
        section.node("actions")
        remedy = "add actions:, [] denies"
        section.faults.add(section.line, section.path("actions"), "is missing; docker_auth would crash", remedy)
    actions = section.texts("actions")
    comment = section.text("comment", "") or ""
    section.done()
    return typed.AclRule(
        line=section.line,
        account=values.get("account"),
        type=values.get("type"),
        name=values.get("name"),
        service=values.get("service"),
        ip=values.get("ip"),
        actions=actions,
        comment=comment,
    )


def _sources(section: Section | None) -> tuple[typed.Source, ...]:
    if section is None:
        return ()
    entries = [Section(node, key, section.faults, section.environ, section.folder) for key, node in section.items("sources")]
    sources = [source for entry in entries if (source := _source(entry)) is not None]
    names = [source.name for source in sources]
    for entry, name in zip(entries, names, strict=False):
        if names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two sources", "give each its own name")
    return tuple(sources)


def _source(section: Section) -> typed.Source | None:
    name = section.text("name", required=True)
    if name is not None and _NAME.fullmatch(name) is None:
        section.fault("name", f"{name!r} is not 1 to 64 letters, digits, - or _", "choose a plain name; it stands in URLs")
    secret = section.secret("secret", required=True)
    secrets = tuple(Secret(line) for line in (secret or b"").split())
    if any(len(one.reveal()) < MIN_SECRET for one in secrets):
        section.fault("secret_file", f"holds a secret shorter than {MIN_SECRET} characters", "use 32 random ones")
    registry = section.parsed("registry", parse_base_url, "write http://registry:5000", default="", required=True)
    host = urlsplit(registry).netloc
    pull_host = section.text("pull_host", host) or host
    account = section.text("account", "") or ""
    password = section.secret("password")
    allow = _networks(section)
    ca = section.path_of("ca_file")
    if ca is not None and not ca.is_file():
        section.fault("ca_file", f"there is no file {ca}", "name the PEM file of the authority that signed the registry's")
    section.done()
    return typed.Source(name or "", secrets, registry, pull_host, account, Secret(password) if password else None, allow, ca)


def _networks(section: Section) -> tuple[typed.Network, ...]:
    networks = []
    for text in section.texts("allow"):
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            section.fault("allow", f"{text!r} is no address or CIDR block", "write 10.0.0.0/8")
    return tuple(networks)


def _deploy(section: Section | None) -> typed.DeploySettings:
    if section is None:
        return typed.DeploySettings()
    targets_section = section.section("targets")
    targets: list[typed.Target] = []
    known: list[str] = []
    if targets_section is not None:
        for name in targets_section.names():
            known.append(name)
            entry = targets_section.section(name)
            target = None if entry is None else _target(name, entry)
            if target is not None:
                targets.append(target)
    entries = [Section(node, key, section.faults, section.environ, section.folder) for key, node in section.items("rules")]
    rules = tuple(_deploy_rule(entry, known) for entry in entries)
    names = [rule.name for rule in rules]
    for entry, name in zip(entries, names, strict=True):
        if names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two rules", "give each its own name")
    section.done()
    return typed.DeploySettings(rules, tuple(targets))


def _deploy_rule(section: Section, known: list[str]) -> typed.Rule:
    name = section.text("name", required=True) or ""
    match = section.section("match")
    repository = tag = None
    if match is not None:
        repository, tag = match.text("repository"), match.text("tag")
        if tag is not None and tag.startswith("semver:"):
            match.fault("tag", "semver: is known, but not built yet", "use a glob, like v1.*")
        match.done()
    require = section.text("require", "exact") or "exact"
    if require != "exact":
        section.fault("require", f"{require!r} is not built yet", "write exact, or leave it out")
    targets = section.texts("targets")
    if not targets:
        section.faults.add(section.line, section.path("targets"), "is missing or empty", "name the targets to deploy to")
    for target in targets:
        if target not in known:
            section.fault("targets", f"there is no target {target!r} in deploy.targets", "add it there, or correct the name")
    section.done(_LATER_RULE)
    return typed.Rule(name, typed.Match(repository, tag), require, targets, section.line)


def _target(name: str, section: Section) -> typed.Target | None:
    if _NAME.fullmatch(name) is None:
        section.faults.add(section.line, section.key, "is not 1 to 64 letters, digits, - or _", "choose a plain name")
    match section.text("type", required=True):
        case "webhook":
            return _webhook(name, section)
        case "docker":
            return _docker(name, section)
        case None:
            return None
        case ("swarm" | "kubernetes" | "github" | "gitlab" | "jenkins" | "woodpecker" | "drone") as kind:
            section.fault("type", f"{kind} is known, but not built yet", "use webhook or docker")
        case other:
            section.fault("type", f"{other!r} is no type of target", "use webhook or docker")
    return None


def _webhook(name: str, section: Section) -> typed.WebhookTarget | None:
    url = section.expanded("url", required=True)
    if url is not None:
        try:
            parse_base_url(url)
        except ValueError as error:
            section.fault("url", str(error), "write https://HOST/PATH")
    secret = section.secret("secret", required=True)
    secrets = tuple(Secret(line) for line in (secret or b"").split())
    for one in secrets:
        if not _is_webhook_secret(one):
            section.fault(
                "secret_file", "holds no whsec_ secret of 24 to 64 bytes in base64", "make one as docs/configuration.md shows"
            )
    allow = _networks(section)
    section.done(_LATER_TARGET)
    return None if url is None else typed.WebhookTarget(name, url, secrets, allow, section.line)


def _is_webhook_secret(secret: Secret) -> bool:
    try:
        kind, _, encoded = secret.reveal().partition(b"_")
        return kind == b"whsec" and 24 <= len(base64.b64decode(encoded, validate=True)) <= 64  # noqa: PLR2004 - Standard Webhooks
    except binascii.Error:
        return False


def _docker(name: str, section: Section) -> typed.DockerTarget | None:
    host = section.text("host", "unix:///var/run/docker.sock") or ""
    if not host.startswith(("unix:///", "tcp://")):
        section.fault("host", f"{host!r} is no unix:///PATH or tcp://HOST:PORT", "write unix:///var/run/docker.sock")
    container = section.text("container", required=True)
    timeout = section.parsed("health_timeout", parse_duration, "write 60s", default=60.0)
    section.done(_LATER_TARGET)
    return None if container is None else typed.DockerTarget(name, host, container, timeout, section.line)


def parse_address(text: str) -> Address:
    """``HOST:PORT``, ``:PORT`` or ``[V6]:PORT``. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"{text!r} is no HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets")
    return Address(host, int(port))


def parse_base_url(text: str) -> str:
    """An http or https URL with a host and without credentials; no slash at its end. Raises ValueError, without the text."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no http:// or https:// URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has credentials in it, which do not belong there")
    return text.rstrip("/")


__all__ = ["LOG_KEY", "Fault", "Loaded", "is_null", "load"]
