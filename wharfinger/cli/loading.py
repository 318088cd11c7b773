"""Loading the configuration for a sub-command: the shared options, and the end of everything when there are faults."""

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from wharfinger.cli.findings import as_fault, deploy_findings, key_findings, log_findings, policy_findings, signing_findings
from wharfinger.cli.texts import counted, shown
from wharfinger.policy import CompileError, Policy, compile_acl
from wharfinger.runtime.configuration import Access, Fault, Loaded, load, load_access
from wharfinger.runtime.settings import Settings

EXIT_MISCONFIGURED: Final = 2
DEFAULT_DATA: Final = "data"
UNREAD: Final = "nothing was read"
"""What comes of faults where a command only looks."""
_RULE: Final = re.compile(r"acl\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the configuration and the data are."""

    config: Path
    data: Path


def placed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--config`` and ``--data`` of its own, and a :class:`Place` as its first argument."""

    @click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file [DATA/wharfinger.yml].")
    @click.option("--data", type=click.Path(path_type=Path), help="Folder of keys, ledger and store [./data].")
    @wraps(function)
    def command(*args: Any, config: Path | None, data: Path | None, **options: Any) -> Any:
        above = click.get_current_context().obj or {}
        folder = (data or above.get("data") or Path(DEFAULT_DATA)).absolute()
        file = config or above.get("config") or folder / "wharfinger.yml"
        return function(Place(file, folder), *args, **options)

    return command


def read(place: Place, *, keys: bool = False, signs: bool = False, started: bool = True) -> Loaded:
    """The configuration with everything found in it.

    ``keys``: also in the key files, which not every process may read; and a certificate that soon ends must stop no start.
    ``signs``: also that the log's key is missing, for those that sign it. ``started``: as for :func:`load`.
    """
    loaded = load(place.config, data=place.data, environ=os.environ, started=started)
    found = [] if loaded.access is None else list(policy_findings(loaded.access))
    if loaded.settings is not None:
        found += deploy_findings(loaded.settings.workers)
        found += log_findings(loaded.settings.workers)
    if loaded.settings is not None and signs:
        found += signing_findings(loaded.settings.workers)
    if loaded.settings is not None and keys:
        found += key_findings(loaded.settings.auth, now=int(time.time()))
    return loaded.with_findings(tuple(found))


def settings_or_exit(place: Place, *, signs: bool = False, outcome: str = "nothing was started") -> Settings:
    """The settings, also before the first start; or every fault on stderr with what came of it, and exit code 2.

    ``signs``: as for :func:`read`.
    """
    loaded = read(place, signs=signs, started=False)
    if loaded.settings is None:
        _exit(place.config, loaded.faults(), outcome)
    return loaded.settings


def access_or_exit(file: Path) -> tuple[Access, Policy | None]:
    """What a file says of who may do what, whatever else is wrong in it; or every fault of that on stderr, and exit code 2."""
    access, faults = load_access(file, environ=os.environ)
    policy = None if access is None or access.acl is None else compile_acl(access.acl, access.policy)
    if isinstance(policy, CompileError):
        _exit(file, tuple(map(as_fault, policy.faults)), "nothing can be told of it")
    if access is None:
        _exit(file, faults, "nothing can be told of it")
    return access, policy


def _exit(file: Path, faults: tuple[Fault, ...], outcome: str) -> NoReturn:
    for fault in faults:
        click.echo(describe(file, fault), err=True)
    click.echo(f"{counted(len(faults), 'fault')}; {outcome}.", err=True)
    sys.exit(EXIT_MISCONFIGURED)


def describe(file: Path, fault: Fault) -> str:
    """A fault as a line for people: where, what, and what to do."""
    where = ":".join(str(part) for part in (file, fault.line, fault.column) if part)
    # explain, trace and tokens count rules from 1.
    rule = _RULE.match(fault.key)
    number = f"(rule {int(rule[1]) + 1})" if rule else ""
    what = " ".join(filter(None, (fault.key, number, fault.problem)))
    stop = "" if fault.remedy.endswith("?") else "."
    return shown(f"{where}: {'warning: ' if fault.warning else ''}{what}. {fault.remedy[:1].upper()}{fault.remedy[1:]}{stop}")
