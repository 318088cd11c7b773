"""Loading for sub-commands: where the file and the data are, and the end of everything when there are faults."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.wharfinger.cli.houses import house
from wharfinger.cli.loading import Place, describe, placed, settings_or_exit
from wharfinger.runtime.configuration import Fault


def place_of(*arguments: str, above: dict[str, Path] | None = None) -> Place:
    """The place that a sub-command gets."""
    found: list[Place] = []

    @click.command()
    @placed
    def command(place: Place) -> None:
        """Note it."""
        found.append(place)

    result = CliRunner().invoke(command, list(arguments), obj=above, catch_exceptions=False)
    assert result.exit_code == 0
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "above", "place"),
    [
        ([], None, ("{cwd}/data/wharfinger.yml", "{cwd}/data")),
        (["--data", "/d"], None, ("/d/wharfinger.yml", "/d")),
        (["-c", "/c.yml"], None, ("/c.yml", "{cwd}/data")),
        ([], {"config": Path("/c.yml"), "data": Path("/d")}, ("/c.yml", "/d")),
        (["--data", "/mine"], {"data": Path("/d")}, ("/mine/wharfinger.yml", "/mine")),
        (["--data", "here"], None, ("{cwd}/here/wharfinger.yml", "{cwd}/here")),
    ],
)
def test_places(arguments: list[str], above: dict[str, Path] | None, place: tuple[str, str]) -> None:
    """The sub-command's own options before the command's; data is always a whole path, for processes change folders."""
    config, data = (Path(one.format(cwd=Path.cwd())) for one in place)
    assert place_of(*arguments, above=above) == Place(config, data)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(3, "a.b", "is wrong", "mend it"), "/c.yml:3: a.b is wrong. Mend it."),
        (Fault(0, "", "is empty", "fill it"), "/c.yml: is empty. Fill it."),
        (Fault(3, "a", "is odd", "look", warning=True), "/c.yml:3: warning: a is odd. Look."),
        (Fault(3, "acl[1].match", "is odd", "look"), "/c.yml:3: acl[1].match (rule 2) is odd. Look."),
        (Fault(3, "a", "is wrong", ""), "/c.yml:3: a is wrong. ."),
    ],
)
def test_a_fault_as_a_line(fault: Fault, text: str) -> None:
    """Where, what, and what to do."""
    assert describe(Path("/c.yml"), fault) == text


def test_settings_or_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults are told, warnings are not in the way."""
    data = house(tmp_path)
    file = data / "wharfinger.yml"
    file.write_text(file.read_text().replace("expiration: 900 ", "expiration: 90000 "))
    assert settings_or_exit(Place(file, data)).auth.token.expiration_s == 90_000
    file.write_text(
        file.read_text().replace("expiration: 90000 ", "expiration: 0 ").replace("issuer: wharfinger ", "isuer: x ")
    )
    with pytest.raises(SystemExit) as left:
        settings_or_exit(Place(file, data))
    assert left.value.code == 2
    said = capsys.readouterr().err.splitlines()
    # The key that docker_auth would not know either is only warned of.
    assert [line.split(": ")[1].split()[0] for line in said[:-1]] == ["token.issuer", "token.expiration"]
    assert said[-1] == "2 faults; nothing was started."
