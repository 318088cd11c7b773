"""Loading the configuration for a sub-command: the shared options, and the end of everything when there are faults."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from wharfinger.cli.texts import shown
from wharfinger.policy import CompileError, compile_acl
from wharfinger.policy.glob import Glob, MalformedGlob
from wharfinger.runtime.configuration import Fault, Loaded, load
from wharfinger.runtime.settings import Settings

EXIT_MISCONFIGURED: Final = 2
DEFAULT_DATA: Final = "data"


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


def read(place: Place) -> Loaded:
    """The configuration with everything found in it: the file's own faults, and the rules'."""
    loaded = load(place.config, data=place.data, environ=os.environ)
    if loaded.settings is None:
        return loaded
    return loaded.with_findings((*_policy_faults(loaded.settings), *_glob_faults(loaded.settings)))


def settings_or_exit(place: Place) -> Settings:
    """The settings; or every fault on stderr, and exit code 2."""
    loaded = read(place)
    if loaded.settings is None:
        for fault in loaded.faults():
            click.echo(describe(place.config, fault), err=True)
        click.echo(f"{len(loaded.faults())} faults; nothing was started.", err=True)
        sys.exit(EXIT_MISCONFIGURED)
    return loaded.settings


def describe(file: Path, fault: Fault) -> str:
    """A fault as a line for people: where, what, and what to do."""
    where = ":".join(str(part) for part in (file, fault.line, fault.column) if part)
    what = " ".join(filter(None, (fault.key, fault.problem)))
    return shown(f"{where}: {'warning: ' if fault.warning else ''}{what}. {fault.remedy[:1].upper()}{fault.remedy[1:]}.")


def _policy_faults(settings: Settings) -> list[Fault]:
    policy = compile_acl(settings.auth.acl or ())
    if isinstance(policy, CompileError):
        return [Fault(one.line, f"acl: match.{one.field}", one.problem, one.remedy) for one in policy.faults]
    return [Fault(one.line, f"acl: match.{one.field}", one.problem, one.remedy, warning=True) for one in policy.warnings]


def _glob_faults(settings: Settings) -> list[Fault]:
    faults = []
    for rule in settings.workers.deploy.rules:
        for name, pattern in (("repository", rule.match.repository), ("tag", rule.match.tag)):
            try:
                Glob(pattern or "")
            except MalformedGlob as error:
                key = f"deploy.rules {rule.name}: match.{name}"
                faults.append(Fault(rule.line, key, f"{pattern!r} is no glob: {error}", "see docs/configuration.md on globs"))
    return faults
