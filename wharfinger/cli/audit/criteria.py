"""The options by which `audit search`, `export` and `follow` say what to look for, and the criteria they make."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

import click

from wharfinger.ledger.codes import CODES
from wharfinger.ledger.search import Criteria
from wharfinger.policy.glob import matcher
from wharfinger.runtime.durations import parse_duration

_DAYS: Final = re.compile(r"([0-9]+)d")
_OPTIONS: Final = (
    click.option("--account", help='Whose; "" for anonymous.'),
    click.option("--credential", help="By its id, or KIND/ID."),
    click.option("--jti", default="", help="By one token."),
    click.option("--repository", help="A name, or a glob: ** crosses slashes."),
    click.option("--tag", default=""),
    click.option("--digest", default=""),
    click.option("--action", "actions", multiple=True, help="push, pull, probe, mount, delete, untag, deliver…; repeatable."),
    click.option("--kind", "object_kinds", multiple=True, help="manifest, index, blob, tag, repository; repeatable."),
    click.option("--record", "kinds", multiple=True, help="event, issuance, refusal, delivery, alarm…; repeatable."),
    click.option("--verdict", "verdicts", multiple=True, help="exact, forged…, or a delivery's state; repeatable."),
    click.option("--flag", default="", help="addr_differs, id_reused…"),
    click.option("--addr", "client_addr", default="", help="The client's address."),
    click.option("--source", default="", help="The registry, by its source's name."),
    click.option("--since", help="2026-11-24, 2026-11-24T10:00Z, or 90m, 12h, 30d ago; by when it was recorded."),
    click.option("--until", help="The same; what was recorded then is not in it."),
)  # fmt: skip


def searching(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option of a search, and the :class:`Criteria` they make as ``criteria``."""

    @wraps(function)
    def command(*args: Any, **options: Any) -> Any:
        names = ("account", "credential", "jti", "repository", "tag", "digest", "actions", "object_kinds", "kinds", "verdicts")
        asked = {name: options.pop(name) for name in (*names, "flag", "client_addr", "source", "since", "until")}
        return function(*args, criteria=criteria(asked, now_s=time.time()), **options)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def criteria(asked: dict[str, Any], *, now_s: float) -> Criteria:
    """What the options ask. Raises click.BadParameter, naming the option."""
    pattern = asked.pop("repository")
    since, until = asked.pop("since"), asked.pop("until")
    for name in ("actions", "object_kinds", "kinds", "verdicts"):
        unknown = [word for word in asked[name] if word not in CODES]
        if unknown:
            raise click.BadParameter(f"{unknown[0]!r} is not known", param_hint=name)
    return Criteria(
        **asked,
        repositories=None if pattern is None else _names(pattern),
        since_ms=None if since is None else moment_ms(since, now_s=now_s),
        until_ms=None if until is None else moment_ms(until, now_s=now_s),
    )


def moment_ms(text: str, *, now_s: float) -> int:
    """A time, in milliseconds since the epoch: absolute (UTC unless said), or a duration ago. Raises click.BadParameter."""
    days = _DAYS.fullmatch(text)
    if days is not None:
        return int((now_s - int(days[1]) * 86_400) * 1_000)
    try:
        return int((now_s - parse_duration(text)) * 1_000)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: write 2026-11-24, 2026-11-24T10:00Z, 90m, 12h or 30d") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _names(pattern: str) -> Callable[[str], bool]:
    if "**" not in pattern:
        return matcher(pattern)
    # path.Match knows no **: here it stands for any run, slashes included.
    expression = "".join(
        ".*" if part == "**" else "[^/]*" if part == "*" else "[^/]" if part == "?" else re.escape(part)
        for part in re.split(r"(\*\*|\*|\?)", pattern)
    )
    return lambda name: re.fullmatch(expression, name) is not None
