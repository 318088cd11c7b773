"""The configuration file: docker_auth's keys and ours, into typed settings, or every fault at once. Starts nothing.

Source of docker_auth's keys: its examples/reference.yml. An unknown key in its sections is a warning, for it ignores them and
files in use have some; in ours it is a fault, and so is what is nearly the name of one of ours. So is an unknown condition of a
rule, and whatever is known but not built yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.configuration.access import Access, read_access
from wharfinger.runtime.configuration.clashes import find_clashes
from wharfinger.runtime.configuration.deploy import read_deploy
from wharfinger.runtime.configuration.forward import read_forward
from wharfinger.runtime.configuration.notifier import read_notifier
from wharfinger.runtime.configuration.server import read_server
from wharfinger.runtime.configuration.stores import LOG_KEY, STORE, read_ledger, read_redis
from wharfinger.runtime.configuration.texts import parse_address, parse_base_url
from wharfinger.runtime.configuration.token import JTI_KEY, read_token
from wharfinger.runtime.configuration.users import read_command
from wharfinger.runtime.durations import parse_age
from wharfinger.runtime.settings import (
    Address,
    AuthSettings,
    DeploySettings,
    MessageTarget,
    NotifierSettings,
    OnStoreFailure,
    RetentionSettings,
    Settings,
    ShadowSettings,
    SubjectForm,
    WebhookTarget,
    WorkerSettings,
)
from wharfinger.runtime.yaml_nodes import Fault, Faults, Section, compose

KEPT: Final = ("pushes", "pulls", "tokens", "unused_tokens", "refusals", "deliveries", "quarantine", "raw")
"""What a rule of retention may be about."""
SHADOW_PORT: Final = 5_011
_OURS: Final = frozenset(
    {"strict", "policy", "tests", "redis", "ledger", "notifier", "deploy", "issuance", "audit", "alarms", "shadow", "log"}
)
_LATER: Final = frozenset(
    {
        "google_auth", "github_auth", "gitlab_auth", "oidc_auth", "ldap_auth", "mongo_auth", "xorm_auth",
        "plugin_authn", "acl_mongo", "acl_xorm", "plugin_authz", "casbin_authz", "console", "federation",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as read: settings unless there are faults, what was found, and the files to watch: itself and those it names.

    ``strict``: the file wants warnings to be faults. ``access``: who may do what, whatever else is wrong; None: that cannot be
    read itself.
    """

    settings: Settings | None
    found: tuple[Fault, ...]
    strict: bool = False
    watched: frozenset[Path] = frozenset()
    access: Access | None = None

    def faults(self) -> tuple[Fault, ...]:
        """What keeps everything from starting."""
        return tuple(fault for fault in self.found if not fault.warning)

    def warnings(self) -> tuple[Fault, ...]:
        """What can be lived with, and should be known."""
        return tuple(fault for fault in self.found if fault.warning)

    def with_findings(self, more: tuple[Fault, ...]) -> "Loaded":
        """The same with more found; without settings if any of it is a fault."""
        found = (*self.found, *(replace(one, warning=one.warning and not self.strict) for one in more))
        sound = all(fault.warning for fault in found)
        return replace(self, found=tuple(sorted(found)), settings=self.settings if sound else None)


def load_access(file: Path, *, environ: Mapping[str, str]) -> tuple[Access | None, tuple[Fault, ...]]:
    """Read only who may do what, of a file whose keys may be elsewhere; and all that keeps it from being read."""
    faults = Faults()
    node = compose(file, faults)
    access = None if node is None else read_access(Section(node, "", faults, environ, file.parent), _LATER)
    found = tuple(sorted(fault for fault in faults.found if not fault.warning))
    return (None if found else access), found


def load(file: Path, *, data: Path, environ: Mapping[str, str], started: bool = True) -> Loaded:
    """Read a configuration file.

    Args:
        file: YAML; paths in it are relative to its folder.
        data: where keys, ledger and the embedded store are unless the file says otherwise.
        environ: for ``${NAME}`` in our own sections.
        started: what the first start makes must be there.
    """
    faults = Faults()
    node = compose(file, faults)
    if node is None:
        return Loaded(None, tuple(faults.found), watched=frozenset({file}))
    top = Section(node, "", faults, environ, file.parent)
    strict = top.flag("strict")
    access = read_access(top, _LATER)
    sound = all(fault.warning for fault in faults.found)
    settings = _settings(top, access, file, data, strict=strict, started=started)
    loaded = Loaded(settings, (), strict, frozenset({file, *faults.files}), access if sound else None)
    return loaded.with_findings(tuple(faults.found))


def _settings(top: Section, access: Access, file: Path, data: Path, *, strict: bool, started: bool) -> Settings | None:
    redis_url = read_redis(top.section("redis"))
    ledger_url, log = read_ledger(top.section("ledger"), data)
    server = read_server(top.required("server"))
    pair = None if server.tls is None else server.tls.pair
    token = read_token(top.required("token"), pair, data, embedded=redis_url is None, started=started)
    notifier_listen, sources = read_notifier(top.section("notifier"))
    find_clashes(top, server.listen, notifier_listen, sources)
    deploy = read_deploy(top.section("deploy"), sources, access.users or ())
    retention = _audit(top.section("audit"))
    alarm_targets = _alarms(top.section("alarms"), deploy)
    forwards = read_forward(top)
    workers_listen = _workers(top.section("workers"))
    url, spill = redis_url or "", data / "spill"
    ext_auth, ext_authz = read_command(top, "ext_auth"), read_command(top, "ext_authz")
    on_store_failure, shadow = _issuance(top.section("issuance")), _shadow(top.section("shadow"))
    log_tokens = _log_tokens(top.section("log"))
    top.done(_LATER, ours=False, guarded=_OURS)
    if access.users is None and not access.more_accounts:
        top.fault("users", "is missing: no way to authenticate is configured", "add users:, with '': {} for anonymous clients")
    if access.acl is None and not access.more_rules:
        top.fault("acl", "is missing: no access list is configured", "add acl:, an empty list [] denies everything")
    if token is None:
        return None
    auth = AuthSettings(
        server=server,
        token=token,
        users=access.users,
        acl=access.acl,
        redis_url=url,
        spool=data / "journal",
        ext_auth=ext_auth,
        ext_authz=ext_authz,
        policy=access.policy,
        tests=access.tests,
        on_store_failure=on_store_failure,
        shadow=shadow,
        log_tokens=log_tokens,
    )
    return Settings(
        file=file,
        data=data,
        embedded=redis_url is None,
        auth=auth,
        notifier=NotifierSettings(notifier_listen, sources, spill, url),
        workers=WorkerSettings(
            ledger_url,
            url,
            spill,
            token.jti_keys,
            sources,
            deploy,
            log,
            infers=token.subject is SubjectForm.ACCOUNT,
            ids_since_ms=None if token.jti_since is None else token.jti_since * 1_000,
            alarm_targets=alarm_targets,
            retention=retention,
            listen=workers_listen,
            forwards=forwards,
        ),
        strict=strict,
    )


def _audit(section: Section | None) -> RetentionSettings:
    """``audit``: how long what is kept."""
    found: dict[str, float] = {}
    kept = None if section is None else section.section("retention")
    if kept is not None:
        for name in KEPT:
            age = kept.parsed(name, _parse_kept, "write 30d or 12h", default=0.0)
            if age:
                found[name] = age
        kept.done()
    if section is not None:
        section.done()
    return RetentionSettings(found)


def _parse_kept(text: str) -> float:
    age = parse_age(text)
    if not age:
        raise ValueError("is no time at all; what is not named is kept for ever")
    return age


def _alarms(section: Section | None, deploy: DeploySettings) -> tuple[str, ...]:
    """``alarms``: webhooks and messages that tell of violations."""
    if section is None:
        return ()
    targets = section.texts("targets")
    known = [target.name for target in deploy.targets if isinstance(target, WebhookTarget | MessageTarget)]
    for target in targets:
        if target not in known:
            problem = f"there is no webhook or message {target!r} in deploy.targets"
            section.fault("targets", problem, "add it there, or correct the name")
    section.done()
    return tuple(dict.fromkeys(targets))


def _workers(section: Section | None) -> Address | None:
    """``workers``: where their numbers are served."""
    if section is None:
        return None
    found = section.parsed("addr", parse_address, "write HOST:PORT or :5004", default=None)
    section.done()
    return found


def _issuance(section: Section | None) -> OnStoreFailure:
    if section is None:
        return OnStoreFailure.REFUSE
    found = section.choice("on_store_failure", OnStoreFailure, OnStoreFailure.REFUSE)
    section.done()
    return found


def _log_tokens(section: Section | None) -> bool:
    """``log.tokens``: a line for each token issued."""
    if section is None:
        return True
    found = section.flag("tokens", default=True)
    section.done()
    return found


def _shadow(section: Section | None) -> ShadowSettings | None:
    if section is None:
        return None
    upstream = section.parsed("upstream", _parse_upstream, "write http://docker_auth:5001", default="", required=True)
    listen = section.parsed("addr", parse_address, "write HOST:PORT or :5011", default=Address("", SHADOW_PORT))
    section.done()
    if upstream and _is_itself(upstream, listen):
        remedy = "write where docker_auth listens, and another port in shadow.addr"
        section.fault("upstream", f"is where this proxy itself listens ({listen})", remedy)
    return ShadowSettings(upstream, listen)


def _parse_upstream(text: str) -> str:
    url = parse_base_url(text)
    if urlsplit(url).path:
        raise ValueError("has a path; paths go through as they are")
    return url


def _is_itself(upstream: str, listen: Address) -> bool:
    parts = urlsplit(upstream)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    # Another name of this machine is not seen here: its first request would come back to it.
    return port == listen.port and parts.hostname in {listen.host, *(() if listen.host else ("localhost", "127.0.0.1", "::1"))}


__all__ = ["JTI_KEY", "LOG_KEY", "STORE", "Access", "Fault", "Loaded", "load", "load_access", "parse_address", "parse_base_url"]
