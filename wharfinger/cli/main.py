"""The command ``wharfinger``: a table of sub-commands, each imported only when it is called, so that ``--help`` is quick.

Exit codes: 0 done, 1 no (denied, not found), 2 usage or configuration, 3 unavailable.
"""

from collections.abc import Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Final

import click

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("wharfinger.cli.up", "Run everything: token service, notifier, workers, and an embedded store."),
    "serve": ("wharfinger.cli.serve", "Run one service: auth or notifier."),
    "work": ("wharfinger.cli.work", "Run the workers: settle, deliver and sweep."),
    "init": ("wharfinger.cli.init", "Make keys, certificate, configuration, registry.yml and secrets in DIR."),
    "check": ("wharfinger.cli.check", "Tell all faults and warnings of the configuration."),
    "explain": ("wharfinger.cli.explain", "Say what a request is granted, by which rule, and why not by earlier ones."),
    "trace": ("wharfinger.cli.trace", "Walk from a digest, tag, token, event or delivery to all it is tied to."),
    "tour": ("wharfinger.cli.tour", "Start a registry wired to us, and play a traced push on it."),
}
"""Each sub-command's module, which has a click command ``command``, and its line of help."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; help is written from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """A command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)  # noqa: S101 - a rule of the table, tested for every row
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list in ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WHARFINGER"})
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Configuration file [DATA/wharfinger.yml; WHARFINGER_CONFIG]."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of keys, ledger and store [./data; WHARFINGER_DATA].")
@click.version_option(metadata.version("wharfinger"), prog_name="wharfinger")
@click.pass_context
def main(context: click.Context, config: Path | None, data: Path | None) -> None:
    """Say which token, and so which person or CI run, pushed what your registry holds; and deploy it."""
    context.obj = {"config": config, "data": data}


if __name__ == "__main__":
    main()
