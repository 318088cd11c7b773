"""What is found in a configuration that can be read: in its access list, its policy tests, its keys.

Reads keys and certificates, and shows nothing of them.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from authsvc.adapters.signing import load_key
from authsvc.decide.keys import EXPIRY_WARNING_S, PublicKey, current, warnings
from authsvc.errors import Misconfigured
from wharfinger.ledger.log_keys import KEY_REMEDY, key_faults
from wharfinger.policy import CompileError, compile_acl
from wharfinger.policy import Fault as PolicyFault
from wharfinger.policy.expectation import failures
from wharfinger.policy.lint import Beside, lint
from wharfinger.runtime.configuration import Access, Fault
from wharfinger.runtime.settings import AuthSettings, SigningKey, TlsPair, WorkerSettings
from workers.decide.destination import is_address, may_be_sent_to, what_would_allow
from workers.decide.matching import problems

DAY_S = 86_400
_NEW_PAIR = "make a new pair with `wharfinger keys new ID`, and give it to the registries as docs/keys.md tells"
_OF_SERVICE = "docs/keys.md tells what each registry takes"
_PAIR_THAT_FITS = "give a PEM pair that fits; `wharfinger init` makes one"


def as_fault(one: PolicyFault, *, warning: bool = False) -> Fault:
    """A fault of a rule, as one of the file."""
    return Fault(one.line, one.key, one.problem, one.remedy, warning, one.column)


def policy_findings(access: Access) -> Iterator[Fault]:
    """Of the access list: faults, or else what lint says, and the tests that fail."""
    policy = compile_acl(access.acl or (), access.policy)
    if isinstance(policy, CompileError):
        yield from map(as_fault, policy.faults)
        return
    users = access.users or ()
    if access.acl is not None:
        beside = Beside(users, more_accounts=access.more_accounts, more_rules=access.more_rules)
        yield from (as_fault(one, warning=True) for one in lint(policy, beside))
    labels = {user.name: user.labels for user in users}
    yield from map(as_fault, failures(policy, access.tests, labels))


def deploy_findings(workers: WorkerSettings) -> Iterator[Fault]:
    """Rules that nothing can ever come to, targets that nothing can ever be sent to, and patterns that are none."""
    if workers.deploy.rules and not workers.sources:
        problem = "waits for pushes, but notifier.sources names no registry that would tell of them"
        yield Fault(
            workers.deploy.rules[0].line, "deploy.rules", problem, "add a section notifier: with sources, or leave it out"
        )
    yield from _destinations(workers)
    for rule in workers.deploy.rules:
        for name, problem in problems(rule):
            yield Fault(rule.line, f"deploy.rules {rule.name}: {name}", problem, "see docs/deploying.md on patterns and ranges")


def _destinations(workers: WorkerSettings) -> Iterator[Fault]:
    """Of URLs that name an address outright: that it may not be sent to. What a name leads to is seen when it is sent to."""
    reached = [(one, getattr(one, "reach", None)) for one in workers.deploy.targets]
    named = [
        (f"deploy.targets.{one.name}.url", one.line, reach.url, reach.allow) for one, reach in reached if reach is not None
    ]
    named += [(f"ledger.witnesses {one.name}: url", one.line, one.url, one.allow) for one in workers.log.witnesses]
    for key, line, url, allow in named:
        host = urlsplit(url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        if is_address(address) and not may_be_sent_to(address, allow):
            remedy = f"add {what_would_allow(address)} to it, or send elsewhere"
            problem = f"leads to {host}, which is neither public nor in its allow: nothing is ever sent there"
            yield Fault(line, key, problem, remedy, warning=True)


def log_findings(workers: WorkerSettings) -> Iterator[Fault]:
    """Of the log's keys and its witnesses, as far as they are there."""
    log = workers.log
    yield from (Fault(one.line, f"ledger.{one.setting}", one.problem, one.remedy) for one in key_faults(log))
    if log.key is not None:
        yield from _open_to_all(log.key_file, "ledger.log_key_file", log.lines.get("log_key_file", log.line))


def signing_findings(workers: WorkerSettings) -> Iterator[Fault]:
    """Of what signs the log: that its key is missing. For who signs; services and readers need none.

    A file without ``ledger`` and without sources of events wants no trail, and is not asked for the key of one.
    """
    log = workers.log
    named = log.lines.get("log_key_file", 0)
    if log.key is not None or not (log.line or workers.sources):
        return
    problem = f"{log.key_file} is not there, or cannot be read: checkpoints of the log are not signed"
    remedy = KEY_REMEDY if named else "`wharfinger init` makes one; if the log had one before, restore that (docs/audit.md)"
    yield Fault(named or log.line, "ledger.log_key_file", problem, remedy, warning=not named)


def key_findings(auth: AuthSettings, *, now: int) -> Iterator[Fault]:
    """Of the keys that sign and the pair that serves, at ``now`` (epoch seconds)."""
    keys: list[PublicKey] = []
    for one in auth.token.keys:
        try:
            key, _ = load_key(one)
        except Misconfigured as fault:
            where, _, problem = str(fault).partition(" ")
            problem, give, remedy = problem.partition(": give ")
            yield Fault(one.line, where, problem, f"give {remedy}" if give else _PAIR_THAT_FITS, column=one.column)
            continue
        keys.append(key)
        if one.key is not None:
            yield from _open_to_all(one.key, "token.key", one.line, one.column)
        yield from (_key_warning(one, phrase) for phrase in warnings([key], {}, now=now))
    if len(keys) == len(auth.token.keys):
        yield from _all_keys(auth, keys, now)
    if auth.server.tls is not None:
        yield from _tls_pair(auth.server.tls.pair, now)


def _all_keys(auth: AuthSettings, keys: list[PublicKey], now: int) -> Iterator[Fault]:
    first = auth.token.keys[0]
    try:
        current(keys, now=now)
    except ValueError as error:
        yield Fault(first.line, "token.keys", str(error), "give one key no signs_from", column=first.column)
    told = {phrase for key in keys for phrase in warnings([key], {}, now=now)}
    services = {"(any other)": auth.token.default, **auth.token.services}
    for phrase in warnings(keys, services, now=now):
        if phrase not in told:
            yield _key_warning(first, phrase)


def _open_to_all(file: Path, setting: str, line: int, column: int = 0) -> Iterator[Fault]:
    if file.stat().st_mode & 0o007:
        problem, remedy = f"{file} can be read by everybody on this machine", f"chmod 600 {file}"
        yield Fault(line, setting, problem, remedy, warning=True, column=column)


def _key_warning(key: SigningKey, phrase: str) -> Fault:
    remedy = _OF_SERVICE if phrase.startswith("service ") else _NEW_PAIR
    return Fault(key.line, "token", f"may fail registries: {phrase}", remedy, warning=True, column=key.column)


def _tls_pair(pair: TlsPair, now: int) -> Iterator[Fault]:
    try:
        # With an empty passphrase: without one, OpenSSL would ask the terminal for that of a locked key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key, password="")
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (OSError, ValueError) as error:  # ssl's own errors are of the first kind
        # The reason only: an error's text may quote the file.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        problem = f"{pair.certificate} and server.key {pair.key} are no pair: {reason}"
        yield Fault(pair.line, "server.certificate", problem, _PAIR_THAT_FITS, column=pair.column)
        return
    yield from _open_to_all(pair.key, "server.key", pair.line, pair.column)
    left_s = int(certificate.not_valid_after_utc.timestamp()) - now
    if left_s < EXPIRY_WARNING_S:
        what = "has expired: clients refuse it" if left_s <= 0 else f"ends in {left_s // DAY_S} days"
        remedy = "put a new one in its place; it is taken up without a restart"
        yield Fault(pair.line, "server.certificate", f"{pair.certificate} {what}", remedy, warning=True, column=pair.column)
