"""``redis`` and ``ledger``: where what must not be lost is kept."""

from pathlib import Path
from urllib.parse import urlsplit

from wharfinger.runtime.yaml_nodes import Section


def read_redis(section: Section | None) -> str | None:
    """The URL of an external Redis; None: `up` runs an embedded store."""
    if section is None:
        return None
    url = section.expanded("url", required=True)
    section.done()
    if url is not None and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        section.fault("url", "is not a redis:// , rediss:// or unix:// URL", "write redis://HOST:6379/0")
    return url


def read_ledger(section: Section | None, data: Path) -> str:
    """The ledger's SQLAlchemy URL."""
    default = f"sqlite:///{data.absolute() / 'ledger.db'}"
    if section is None:
        return default
    url = section.expanded("url") or default
    section.done()
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        remedy = "write sqlite:////absolute/path or postgresql://USER@HOST/NAME, or leave it out"
        section.fault("url", "is no sqlite:///PATH and no postgresql:// URL", remedy)
    return url
