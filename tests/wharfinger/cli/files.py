"""Configurations for tests of the command: an access list and whatever a test wants beside it, with keys that fit."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from wharfinger.cli import generate
from wharfinger.cli.main import main

NOW = datetime.now(UTC)
HASH = "$2y$10$abcdefghijklmnopqrstuuuWSaQPRIDcTfi4jVmAp2lK0QyKwJAW."
HEAD = 'server: {addr: ":5001"}\ntoken: {issuer: i, expiration: 900, certificate: token.crt, key: token.key}\n'
"""Two lines, so that an access list behind them starts on the third."""


@cache
def key(number: int) -> bytes:  # noqa: ARG001 - which of several
    """A signing key."""
    return generate.new_key()


def certificate(number: int = 0, *, ends_in_days: float = 1_000) -> bytes:
    """A certificate of a key."""
    made = NOW + timedelta(days=ends_in_days - generate.VALID_DAYS)
    return generate.new_certificate(key(number), ["localhost"], now=made)


def written(folder: Path, text: str, *, name: str = "wharfinger.yml", head: str = HEAD) -> Path:
    """A file, beside the keys that it names."""
    kept = {
        "token.key": key(0),
        "token.crt": certificate(),
        "jti.key": generate.new_jti_key(),
        "log.key": generate.new_log_key(),
    }
    for file, content in kept.items():
        if not (folder / file).exists():
            (folder / file).write_bytes(content)
            (folder / file).chmod(0o600)
    (folder / name).write_text(head + text)
    return folder / name


def run(*arguments: object) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(main, [str(one) for one in arguments], prog_name="wharfinger")


def check(file: Path, *arguments: object) -> Result:
    """``wharfinger check`` of a file with its data beside it."""
    return run("check", "-c", file, "--data", file.parent, *arguments)


def parsed(result: Result) -> Any:
    """What was printed, as JSON."""
    return json.loads(result.stdout)


def found(file: Path) -> list[dict[str, Any]]:
    """What check finds."""
    return list(parsed(check(file, "--json")))
