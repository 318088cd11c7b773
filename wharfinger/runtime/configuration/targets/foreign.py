"""A target of a kind that another package adds, by an entry point of the group ``wharfinger.targets`` (docs/targets.md)."""

from importlib.metadata import entry_points
from typing import Final, Protocol

from wharfinger.runtime.settings import ForeignTarget
from wharfinger.runtime.yaml_nodes import Section

GROUP: Final = "wharfinger.targets"


class ForeignReader(Protocol):
    """What an entry point's object does for the configuration; the workers ask more of it."""

    def read(self, name: str, section: Section) -> object | None:
        """The settings of one target; None after a fault."""


def foreign_kind(kind: str) -> object | None:
    """The object behind an entry point; None when no package has one. Raises whatever its package does when it is imported."""
    for found in entry_points(group=GROUP, name=kind):
        return found.load()  # type: ignore[no-any-return]  # whoever made it keeps the protocol
    return None


def read_foreign(name: str, kind: str, section: Section, known: str) -> ForeignTarget | None:
    """Let the package that adds a kind read its own section."""
    try:
        found = foreign_kind(kind)
    except (ImportError, AttributeError) as error:
        problem = f"{kind} is of a package that cannot be imported: {type(error).__name__}: {error}"
        section.fault("type", problem, "repair the package, or use another type")
        return None
    if found is None:
        section.fault("type", f"{kind!r} is no type of target", f"use {known}, or install the package that adds it")
        return None
    reader: ForeignReader = found  # type: ignore[assignment]  # the same
    settings = reader.read(name, section)
    section.done()
    return None if settings is None else ForeignTarget(name, kind, settings, section.line)
