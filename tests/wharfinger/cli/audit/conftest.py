"""A data folder as `init` makes it, with a log in its ledger, and the command run in it."""

from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.wharfinger.ledger.logs import fill
from wharfinger.cli import init
from wharfinger.cli.main import main
from wharfinger.cli.templates import Ports
from wharfinger.ledger.database import Database

Run = Callable[..., Result]
NEEDED = {
    "wharfinger.yml", "log.key", "jti.key", "signing.key", "signing.crt", "notification.secret", "wharfinger.password",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, made once: its passwords take a while to hash."""
    folder = tmp_path_factory.mktemp("made")
    init.make(folder, (), Ports(5001, 5002, 5000))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A data folder of a test's own, without a ledger yet."""
    for file in made.iterdir():
        if file.name in NEEDED:
            (tmp_path / file.name).write_bytes(file.read_bytes())
            (tmp_path / file.name).chmod(0o600)
    return tmp_path


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    """The folder's ledger, with ten records."""
    opened = Database(f"sqlite:///{folder}/ledger.db")
    fill(opened, 10)
    yield opened
    opened.close()


@pytest.fixture
def run(folder: Path) -> Run:
    """Run `wharfinger audit …` in the folder."""

    def audit(*arguments: object) -> Result:
        with chdir(folder):
            return CliRunner().invoke(main, ["audit", str(arguments[0]), "--data", str(folder), *map(str, arguments[1:])])

    return audit


@pytest.fixture
def vkey(run: Run, database: Database) -> str:  # noqa: ARG001 - there is a log whenever there is its key
    """The log's verifier key, as it is given to whoever checks."""
    return run("checkpoint", "--vkey").stdout.strip()
