"""``redis`` and ``ledger``: where what must not be lost is kept."""

from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.texts import networks, parse_base_url, scheme
from wharfinger.runtime.durations import parse_duration
from wharfinger.runtime.settings import CHECKPOINT_EVERY_S, LogSettings, Secret, Witness
from wharfinger.runtime.yaml_nodes import Section

STORE: Final = "store"
"""The embedded store's folder below ``data``, from the first `up` there on."""
LEDGER: Final = "ledger.db"
"""The ledger below ``data``, unless the file names another."""
LOG_KEY: Final = "log.key"
"""The log's own key below ``data``, unless the file names another."""
MIN_CHECKPOINT_S: Final = 1.0


def read_redis(section: Section | None) -> str | None:
    """The URL of an external Redis; None: `up` runs an embedded store."""
    if section is None:
        return None
    url = section.expanded("url", required=True)
    section.done()
    if url is not None and scheme(url) not in {"redis", "rediss", "unix"}:
        section.fault("url", "is not a redis://, rediss:// or unix:// URL", "write redis://HOST:6379/0")
    return url


def read_ledger(section: Section | None, data: Path) -> tuple[str, LogSettings]:
    """The ledger's SQLAlchemy URL, and how its log is signed."""
    default = f"sqlite:///{data.absolute() / LEDGER}"
    if section is None:
        return default, _log(None, data)
    url, log = section.expanded("url") or default, _log(section, data)
    section.done()
    is_file = url.startswith("sqlite:///") and url.removeprefix("sqlite:///") not in {"", ":memory:"}
    if not is_file and not url.startswith(("postgresql://", "postgresql+psycopg://")):
        remedy = "write sqlite:////absolute/path or postgresql://USER@HOST/NAME, or leave it out"
        section.fault("url", "is no sqlite:///PATH and no postgresql:// URL", remedy)
    return url, log


def _log(section: Section | None, data: Path) -> LogSettings:
    file = data / LOG_KEY
    if section is None:
        return LogSettings(key=_read_if_there(file), key_file=file)
    named = section.path_of("log_key_file")
    every = section.parsed("checkpoint_every", parse_duration, "write 60s", default=CHECKPOINT_EVERY_S)
    if every < MIN_CHECKPOINT_S:
        section.fault("checkpoint_every", f"is below {MIN_CHECKPOINT_S:.0f} s", "write 60s")
    return LogSettings(
        key=_read_if_there(named or file),
        key_file=named or file,
        origin=section.text("origin", "") or "",
        former_vkeys=section.texts("former_vkeys"),
        checkpoint_every_s=every,
        witnesses=tuple(_witness(entry) for entry in section.sections("witnesses")),
        line=section.line,
        lines={name: section.line_of(name) for name in ("log_key_file", "origin", "former_vkeys") if section.has(name)},
    )


def _witness(section: Section) -> Witness:
    name = section.text("name", required=True) or ""
    url = section.parsed("url", parse_base_url, "write https://witness.example/prefix", default="", required=True)
    vkey = section.text("vkey", required=True) or ""
    allow = networks(section)
    section.done()
    return Witness(name, url, vkey, allow, section.line)


def _read_if_there(file: Path) -> Secret | None:
    # A machine that runs no workers signs no checkpoints, and needs no key for it: who does sign is told that it is missing.
    try:
        return Secret(file.read_bytes())
    except OSError:
        return None
