"""A kind of target of another package: installed beside Wharfinger, it is read, checked and sent to like one of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wharfinger.cli import init
from wharfinger.cli.templates import Ports

pytestmark = pytest.mark.real
PACKAGE = Path(__file__).parents[1] / "outside_target"
PLAY = """
import sys
from pathlib import Path
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.runtime.configuration import load
from workers.adapters.destinations import ConfiguredDestinations

folder = Path(sys.argv[1])
loaded = load(folder / "wharfinger.yml", data=folder, environ={})
destination = ConfiguredDestinations(loaded.settings.workers).find("note")
print(destination.runs_one, destination.target.resume(ORDER, Holding()))
for _ in range(2):
    print(destination.target.send(ORDER, Holding()))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip put the package."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "package"
    subprocess.run(["cp", "-r", PACKAGE, source], check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder, source], check=True, timeout=120)
    return folder


def configured(folder: Path, target: str) -> Path:
    """A whole configuration with one target."""
    init.make(folder, (), Ports(1, 2, 3))
    file = folder / "wharfinger.yml"
    file.write_text(f"{file.read_text()}\ndeploy:\n  targets:\n    note: {{{target}}}\n")
    return file


def ran(site: Path | None, *command: str) -> subprocess.CompletedProcess[str]:
    """A Python of ours, with the package or without it."""
    path = f"{site}:{Path.cwd()}" if site else str(Path.cwd())
    environ = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, *command], env=environ, capture_output=True, text=True, timeout=60, check=False)


def checked(site: Path | None, file: Path) -> list[str]:
    """The faults that `wharfinger check` tells."""
    done = ran(site, "-m", "wharfinger.cli.main", "check", "--json", "-c", str(file), "--data", str(file.parent))
    return [f"{one['key']} {one['problem']}" for one in json.loads(done.stdout) if not one["warning"]]


def test_it_is_sent_to(site: Path, tmp_path: Path) -> None:
    """Its section is read by it, its target is asked through the port, and what it answers is what any target may."""
    configured(tmp_path, "type: file, file: image.txt")
    done = ran(site, "-c", PLAY, str(tmp_path))
    assert done.stdout.splitlines() == [
        "True None", "Delivered(detail='written')", "Unchanged(detail='the file names this image')",
    ], done.stderr  # fmt: skip
    assert (tmp_path / "image.txt").read_text() == "reg:5000/shop/cart@sha256:" + "ab" * 32 + "\n"


@pytest.mark.parametrize(
    ("target", "faults"),
    [
        ("type: file, file: image.txt", []),
        ("type: file", ["deploy.targets.note.file is missing"]),
        ("type: file, file: x, fil: y", ["deploy.targets.note.fil is not a key known here"]),
    ],
)
def test_its_faults_are_told(site: Path, tmp_path: Path, target: str, faults: list[str]) -> None:
    """With their line, as those of our own keys; also a key that its reader has not asked for."""
    file = configured(tmp_path, target)
    assert checked(site, file) == faults


def test_where_it_is_not_installed(tmp_path: Path) -> None:
    """Its type is none, and that is said."""
    file = configured(tmp_path, "type: file, file: image.txt")
    assert checked(None, file) == ["deploy.targets.note.type 'file' is no type of target"]


def test_the_page_shows_it() -> None:
    """docs/targets.md has the package as it is, line by line."""
    page = (PACKAGE.parents[1] / "docs/targets.md").read_text()
    assert f"```python\n{(PACKAGE / 'wharfinger_target_file/__init__.py').read_text()}```" in page
    assert '[project.entry-points."wharfinger.targets"]\nfile = "wharfinger_target_file:KIND"' in page
