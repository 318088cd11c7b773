"""``wharfinger check``: every fault and warning, by line, with its remedy; and an exit code for each of three outcomes."""

import json
from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import house, parsed, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``init`` makes."""
    return house(tmp_path_factory.mktemp("house"))


def written(made: Path, tmp_path: Path, old: str, new: str) -> Path:
    """The configuration with one thing changed, beside the same files."""
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).chmod(0o600)
    text = (made / "wharfinger.yml").read_text()
    assert old in text
    (tmp_path / "wharfinger.yml").write_text(text.replace(old, new))
    return tmp_path


def test_what_init_makes_is_clean(made: Path) -> None:
    """Exit code 0."""
    result = run("check", "--data", made)
    assert (result.exit_code, result.stdout) == (0, f"{made}/wharfinger.yml: 0 faults, 0 warnings.\n")
    assert parsed(run("check", "--json", "--data", made)) == []


def test_warnings_only(made: Path, tmp_path: Path) -> None:
    """Exit code 1."""
    data = written(made, tmp_path, "expiration: 900 ", "expiration: 90000 ")
    result = run("check", "--data", data)
    assert result.exit_code == 1
    first, last = result.stdout.splitlines()
    assert (
        first
        == f"{data}/wharfinger.yml:9:3: warning: token.expiration is more than a day. 900 s is usual: clients fetch new tokens by themselves."
    )
    assert last.endswith("0 faults, 1 warning.")


def test_faults(made: Path, tmp_path: Path) -> None:
    """Exit code 2; the same in JSON."""
    data = written(made, tmp_path, "expiration: 900 ", "expiration: soon ")
    result = run("check", "--data", data)
    assert result.exit_code == 2
    assert result.stdout.splitlines()[0].startswith(
        f"{data}/wharfinger.yml:9:3: token.expiration 'soon' is not a whole number. Write it"
    )
    (found,) = parsed(run("check", "--json", "--data", data))
    assert found == {
        "file": f"{data}/wharfinger.yml",
        "line": 9,
        "column": 3,
        "key": "token.expiration",
        "problem": "'soon' is not a whole number",
        "remedy": "write it in digits, without a unit",
        "warning": False,
    }


@pytest.mark.parametrize(
    ("change", "key", "warning"),
    [
        (("name: ubuntu", 'name: "/(/"'), "acl[1].match.name", False),
        (("account: admin}", "account: admin, ip: 10.0.0.0/99}"), "acl[0].match.ip", False),
        (("name: ubuntu", 'name: "[bat"'), "acl[1].match.name", True),
    ],
)
def test_rules_are_read_too(made: Path, tmp_path: Path, change: tuple[str, str], key: str, warning: bool) -> None:  # noqa: FBT001 - a column
    """A pattern that cannot be one is told with its rule's line."""
    result = run("check", "--json", "--data", written(made, tmp_path, *change))
    (found,) = parsed(result)
    assert (found["key"], found["warning"], result.exit_code) == (key, warning, 1 if warning else 2)
    assert found["line"] >= 20


@pytest.mark.parametrize("name", ["repository", "tag"])
def test_globs_of_deployments(made: Path, tmp_path: Path, name: str) -> None:
    """A rule that could never match anything is a fault: nobody would hear of the pushes it misses."""
    rule = "{name: web, targets: [prod], match: {NAME: '[a'}}".replace("NAME", name)
    deploy = f"\ndeploy:\n  rules: [{rule}]\n  targets:\n    prod: {{type: docker, container: web}}\n"
    data = written(made, tmp_path, "\nnotifier:\n", f"{deploy}\nnotifier:\n")
    (found,) = parsed(run("check", "--json", "--data", data))
    assert (found["key"], found["problem"][:16]) == (f"deploy.rules web: match.{name}", "'[a' is no glob:")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is told how to get one."""
    result = run("check", "-c", tmp_path / "no.yml", "--data", tmp_path)
    assert result.exit_code == 2
    assert result.stdout.startswith(
        f"{tmp_path}/no.yml: cannot be read: No such file or directory. Give the right file with -c"
    )


def test_keys_that_would_paint(tmp_path: Path) -> None:
    """A fault's line is one line, whatever stands in the file."""
    (tmp_path / "wharfinger.yml").write_text('"\\e[31m\\nfake\\ud800": 1\n')
    result = run("check", "--data", tmp_path)
    assert result.exit_code == 2
    assert "\x1b" not in result.stdout
    assert all(line.startswith(str(tmp_path)) for line in result.stdout.splitlines())
    assert any(one["key"] == "\x1b[31m\nfake\ud800" for one in json.loads(run("check", "--json", "--data", tmp_path).stdout))


@pytest.mark.parametrize("where", ["option", "group", "environment"])
def test_where_things_are(made: Path, where: str) -> None:
    """By the sub-command's options, the command's, or the environment."""
    config = made / "wharfinger.yml"
    result = {
        "option": lambda: run("check", "-c", config, "--data", made),
        "group": lambda: run("-c", config, "--data", made, "check"),
        "environment": lambda: run("check", environ={"WHARFINGER_CONFIG": str(config), "WHARFINGER_DATA": str(made)}),
    }[where]()
    assert result.exit_code == 0, result.output


def test_nothing_secret_is_shown(made: Path, tmp_path: Path) -> None:
    """Not even of a file that is all wrong."""
    data = written(made, tmp_path, "secret_file: notification.secret", "secret: hunter2-hunter2-hunter2")
    assert "hunter2" not in run("check", "--data", data).output
    assert "hunter2" not in run("check", "--json", "--data", data).output
