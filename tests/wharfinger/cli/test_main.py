"""The command itself: its table, its help, and what importing it costs."""

import subprocess
import sys
from importlib import import_module, metadata

import click
import pytest

from tests.wharfinger.cli.houses import run
from wharfinger.cli.main import COMMANDS, main

HEAVY = ("sqlalchemy", "aiohttp", "redis", "rq", "cryptography", "bcrypt", "rich", "uvloop", "jwt", "asyncio")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row(name: str) -> None:
    """Its module is there, has a click command, and that has help and the row's own line in it."""
    command = import_module(COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: wharfinger {name} ")
    assert command.help


def test_help_tells_all() -> None:
    """Each command by its line."""
    text = run("--help").stdout
    for name, (_, line) in COMMANDS.items():
        assert name in text
        assert line.split(":")[0] in " ".join(text.split())
    assert run("-h").stdout == text


def test_completion_knows_all() -> None:
    """In the table's order."""
    assert main.list_commands(click.Context(main)) == list(COMMANDS)


def test_the_version() -> None:
    """The package's."""
    assert metadata.version("wharfinger") in run("--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("--nothing",), ("check", "--nothing"), ("trace",), ("serve", "nothing"), ("work", "--processes", "0")],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and a word why."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "heavy"), [(["--help"], HEAVY), (["--version"], HEAVY), (["check", "--help"], HEAVY[:4])]
)
def test_what_is_imported(arguments: list[str], heavy: tuple[str, ...]) -> None:
    """Help is quick: it needs no database, no server and no client of anything."""
    code = (
        "import sys\nfrom wharfinger.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(heavy) & set(done.stderr.split()) == set()
    assert done.stdout
