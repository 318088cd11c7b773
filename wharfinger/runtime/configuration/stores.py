"""``redis`` and ``ledger``: where what must not be lost is kept."""

from pathlib import Path

from wharfinger.runtime.configuration.texts import scheme
from wharfinger.runtime.yaml_nodes import Section


def read_redis(section: Section | None) -> str | None:
    """The URL of an external Redis; None: `up` runs an embedded store."""
    if section is None:
        return None
    url = section.expanded("url", required=True)
    section.done()
    if url is not None and scheme(url) not in {"redis", "rediss", "unix"}:
        section.fault("url", "is not a redis://, rediss:// or unix:// URL", "write redis://HOST:6379/0")
    return url


def read_ledger(section: Section | None, data: Path) -> str:
    """The ledger's SQLAlchemy URL."""
    default = f"sqlite:///{data.absolute() / 'ledger.db'}"
    if section is None:
        return default
    url = section.expanded("url") or default
    section.done()
    if url.startswith("postgresql"):
        section.fault("url", "PostgreSQL is known, but not built yet", "use sqlite:///PATH")
    elif not url.startswith("sqlite:///") or url.removeprefix("sqlite:///") in {"", ":memory:"}:
        section.fault("url", "is not a sqlite:///PATH URL", "write sqlite:////absolute/path, or leave it out")
    return url
