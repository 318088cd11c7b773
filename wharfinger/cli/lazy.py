"""Groups of commands from a table: each command is imported only when it is called, so that ``--help`` is quick."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

Table = Mapping[str, tuple[str, str]]
"""Each command's module, which has a click command ``command``, and its line of help."""


class LazyGroup(click.Group):
    """A group whose help is written from its table."""

    def __init__(self, *arguments: Any, table: Table, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the table's order."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """A command, imported now."""
        if cmd_name not in self._table:
            return None
        command = import_module(self._table[cmd_name][0]).command
        assert isinstance(command, click.Command)  # noqa: S101 - a rule of the table, tested for every row
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list in ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])
