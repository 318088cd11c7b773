"""References as people copy them from a screen: a registry that we know is cut off in front of a repository. Asks nobody."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.settings import Source

_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "[::1]")


def without_host(ref: str, sources: Iterable[Source]) -> str:
    """``shop/web:1.4`` of ``registry.example:5000/shop/web:1.4``; another registry's image stays, for it is not ours."""
    known = {name for source in sources for name in (urlsplit(source.registry).netloc, source.pull_host)}
    local = {name.rpartition(":")[2] for name in known if name.rpartition(":")[0] in _THIS_MACHINE}
    known |= {f"{host}:{port}" for port in local for host in _THIS_MACHINE}
    host, slash, rest = ref.removeprefix("docker://").partition("/")
    return rest if slash and host in known else ref
