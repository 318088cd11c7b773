"""Runs one target under atheris, guided by the coverage of our code: ``python tests/fuzz/run.py NAME [libFuzzer's options]``.

Atheris is in the dependency group ``fuzz`` alone. A finding is written to the current folder as ``crash-…``, and shown.
"""

import sys
from pathlib import Path

import atheris

# Comparisons of texts guide it too. Its hook for regular expressions fails on patterns of bytes, which the journal has.
atheris.enabled_hooks.add("str")

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["authsvc", "wharfinger"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
