"""``wharfinger ledger move --store-to URL``: the embedded store into a Redis of one's own, with all that is on its way in it.

From the file ``moving`` on nobody starts the old one but this, so nothing is written that would be left behind. Crash before
the copy took its place: it is nowhere, and the next call begins it anew. Between that and the file ``moved``: the next call
finds its own mark in the new one, and only says so. After: the old one is started no more, and the new one is the store.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import redis

from wharfinger.runtime import embedded
from wharfinger.runtime.configuration import STORE
from wharfinger.runtime.disk import sync_folder
from wharfinger.runtime.embedded import MOVED, MOVING
from wharfinger.runtime.errors import Misconfigured, Unavailable
from wharfinger.runtime.store_copy import Client, Told, clear, copy, mark_of, require_fit, require_same, take_place
from wharfinger.runtime.yaml_nodes import ENVIRONMENT

TIMEOUT_S: Final = 120.0
"""A copy of a million keys takes its place in seconds, in which the server says nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the new store is: its URL, and the same as it may be shown, without a password."""

    url: str
    shown: str


def target_of(text: str, environ: Mapping[str, str]) -> Target:
    """A URL as it was given, with ``${VARIABLE}`` in it. Raises Misconfigured."""
    missing = [name for name in ENVIRONMENT.findall(text) if name not in environ]
    if missing:
        raise Misconfigured(f"${{{missing[0]}}} is not set")
    password = urlsplit(text).password
    open_password = bool(password) and ENVIRONMENT.fullmatch(password or "") is None
    told = re.sub(r":[^:@/]*@", ":${REDIS_PASSWORD}@", text, count=1) if open_password else text
    return Target(ENVIRONMENT.sub(lambda found: environ[found[1]], text), told)


def move_store(data: Path, to: Target, *, durable: bool, told: Told) -> int:
    """Move the store below a data folder, which nobody else uses meanwhile, into an empty one.

    Args:
        data: the store lives in its folder ``store``.
        to: the new one.
        durable: refuse one that may lose what it answered.
        told: is told how many keys are copied, and then how many are compared.

    Returns:
        how many keys are in the new one.

    Raises:
        Misconfigured: the old one is not there or was moved before, or the new one does not fit.
        Unavailable: one of them did not answer, or somebody else still runs the old one.
    """
    folder = data / STORE
    if (folder / MOVED).exists():
        raise Misconfigured(f"the store in {folder} was moved before, as {folder / MOVED} tells")
    if not folder.is_dir():
        raise Misconfigured(f"there is no embedded store {folder}")
    try:
        with closing(redis.Redis.from_url(to.url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)) as target:
            require_fit(target, durable=durable)
            mark = _mark(folder)
            if mark is None or mark_of(target) != mark:
                clear(target)
                mark = _begin(folder, to, mark or secrets.token_hex(16).encode())
                _copy(data, target, mark, told)
            count = target.dbsize() - 1
    except (redis.RedisError, OSError) as error:
        raise Unavailable(f"{to.shown} did not answer: {type(error).__name__}") from error
    # All of it is in the new one, and synced there: from here on that is the store.
    (folder / MOVING).replace(folder / MOVED)
    sync_folder(folder)
    return int(count)


def _copy(data: Path, target: Client, mark: bytes, told: Told) -> None:
    running = embedded.start(data, leaving=True)
    try:
        with closing(redis.Redis.from_url(running.store.url, socket_timeout=TIMEOUT_S)) as source:
            copy(source, target, told=told)
            require_same(source, target, told=told)
            take_place(target, mark)
    finally:
        running.stop()


def _mark(folder: Path) -> bytes | None:
    """The mark of a move that was begun."""
    try:
        return str(json.loads((folder / MOVING).read_text())["mark"]).encode()
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise Misconfigured(f"{folder / MOVING} cannot be read: remove it, and empty the new store, to begin anew") from None


def _begin(folder: Path, to: Target, mark: bytes) -> bytes:
    part = folder / f".{MOVING}"
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump({"to": to.shown, "mark": mark.decode()}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / MOVING)
    sync_folder(folder)
    return mark
