"""The settings of the log: read whole, with every fault and its line, and the key that init makes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.wharfinger.ledger import vectors
from wharfinger.cli.main import main
from wharfinger.ledger.log_keys import log_keys
from wharfinger.runtime.configuration import load

WITNESS = str(vectors.WITNESS.verifier)


def write(folder: Path, ledger: str) -> int:
    """Add a section ``ledger``; the line it begins at."""
    config = folder / "wharfinger.yml"
    before = config.read_text()
    config.write_text(f"{before}ledger:\n{ledger}")
    return before.count("\n") + 1


def check(folder: Path) -> tuple[int, list[tuple[int, str, bool]]]:
    """The exit code of `wharfinger check`, and line, key and severity of all that it tells."""
    result = CliRunner().invoke(main, ["check", "--data", str(folder), "--json"])
    return result.exit_code, [(one["line"], one["key"], one["warning"]) for one in json.loads(result.stdout)]


def test_what_init_makes_is_clean(folder: Path) -> None:
    """A key of its own, private, and a name that is made of it."""
    assert check(folder) == (0, [])
    loaded = load(folder / "wharfinger.yml", data=folder, environ={})
    assert loaded.settings is not None
    log = loaded.settings.workers.log
    keys = log_keys(log)
    assert keys.signer is not None
    assert keys.signer.verifier.name.startswith("wharfinger/")
    assert (log.checkpoint_every_s, log.witnesses, log.former_vkeys) == (60.0, (), ())


def test_every_setting(folder: Path) -> None:
    """As docs/configuration.md has them."""
    (folder / "log.key").rename(folder / "other.key")
    write(
        folder,
        f"""\
  log_key_file: other.key
  origin: registry.example/audit
  checkpoint_every: 1m30s
  former_vkeys: ['{vectors.LOG_VKEY}']
  witnesses:
    - {{name: auditor, url: "https://witness.example/prefix/", vkey: '{WITNESS}', allow: ["10.0.0.0/8"]}}
""",
    )
    assert check(folder) == (0, [])
    loaded = load(folder / "wharfinger.yml", data=folder, environ={})
    assert loaded.settings is not None
    log = loaded.settings.workers.log
    keys = log_keys(log)
    assert keys.signer is not None
    assert keys.signer.verifier.name == "registry.example/audit"
    assert keys.logs[1:] == (vectors.LOG.verifier,)
    assert keys.witnesses == {"auditor": vectors.WITNESS.verifier}
    assert (log.checkpoint_every_s, log.witnesses[0].url) == (90.0, "https://witness.example/prefix")


def test_without_a_key_there_is_a_warning(folder: Path) -> None:
    """It is told where there is a trail to sign: of a registry's events, or by a section of its own."""
    (folder / "log.key").unlink()
    assert check(folder) == (1, [(0, "ledger.log_key_file", True)])
    config = folder / "wharfinger.yml"
    config.write_text(config.read_text().partition("\nnotifier:")[0])
    assert check(folder) == (0, [])
    begins = write(folder, "  origin: registry.example/audit\n")
    assert check(folder) == (1, [(begins + 1, "ledger.log_key_file", True)])


NEEDS_KEY = (("up",), ("work",))
NEEDS_NONE = (("serve", "auth"), ("serve", "notifier"), ("keys", "bundle"))


@pytest.mark.parametrize("asked", ["strict: true\n", "ledger: {log_key_file: log.key}\n"])
def test_who_misses_the_key(folder: Path, asked: str) -> None:
    """Where it is asked for by name, or every warning is a fault: who signs does not start without; who does not sign, does.

    Exit code 3: nobody runs the store, which is looked for once there are no faults.
    """
    (folder / "log.key").unlink()
    (folder / "wharfinger.yml").write_text(asked + (folder / "wharfinger.yml").read_text())
    ends = {one: CliRunner().invoke(main, [*one, "--data", str(folder)]) for one in (*NEEDS_KEY, *NEEDS_NONE)}
    assert [ends[one].exit_code for one in NEEDS_KEY] == [2, 2]
    assert all("log.key is not there, or cannot be read" in ends[one].stderr for one in NEEDS_KEY)
    assert [ends[one].exit_code for one in NEEDS_NONE] == [3, 3, 0]


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [
        ("  log_key_file: nowhere.key\n", [(1, "ledger.log_key_file")]),
        ("  log_key_file: jti.key\n", [(1, "ledger.log_key_file")]),
        ("  checkpoint_every: 60s\n  origin: a b\n", [(2, "ledger.origin")]),
        ("  checkpoint_every: 500ms\n", [(1, "ledger.checkpoint_every")]),
        ("  checkpoint_every: 60\n", [(1, "ledger.checkpoint_every")]),
        ("  former_vkeys: [x]\n", [(1, "ledger.former_vkeys")]),
        ("  witness: []\n", [(1, "ledger.witness")]),
        ("  witnesses:\n    - {}\n", [(2, f"ledger.witnesses[0].{name}") for name in ("name", "url", "vkey")]),
        (
            "  witnesses:\n    - {name: a, url: 'ftp://x', vkey: x, allow: [y]}\n",
            [(2, "ledger.witnesses[0].allow"), (2, "ledger.witnesses[0].url")],
        ),
        ("  witnesses:\n    - {name: a, url: 'https://x', vkey: x, y: z}\n", [(2, "ledger.witnesses[0].y")]),
        ("  witnesses:\n    - {name: a, url: 'https://x', vkey: x}\n", [(2, "ledger.witnesses[0].vkey")]),
    ],
)
def test_every_fault_has_its_line(folder: Path, ledger: str, expected: list[tuple[int, str]]) -> None:
    """What is missing, misspelt, of another kind, or not there. Faults of keys are told once the file itself is sound."""
    begins = write(folder, ledger)
    code, found = check(folder)
    assert code == 2
    section = begins + 1
    assert [(line, key) for line, key, warning in found if not warning] == [
        (begins + line if line else section, key) for line, key in expected
    ]
