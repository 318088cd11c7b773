"""A short run of every target under atheris, where it is installed (dependency group ``fuzz``); part of make test-all."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.targets import SEEDS, TARGETS

RUN = Path(__file__).with_name("run.py")
SECONDS = 10


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="NOT RUN: needs atheris, of the dependency group fuzz")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    """From the seeds on, for some seconds: no target fails, none needs long or much memory for an input."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    options = [
        f"-max_total_time={SECONDS}",
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-max_len=4096",
        f"-dict={RUN.with_name('words.dict')}",
    ]
    command = [sys.executable, str(RUN), name, *options, str(corpus)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=20 * SECONDS,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-3_000:] + done.stdout[-3_000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs
    assert int(runs[1]) > 1_000
