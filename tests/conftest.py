"""Counts loudly what could not run here."""

import pytest

pytest_plugins = ["tests.postgresql"]

NOT_RUN = "NOT RUN"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests needed programs or rights that this machine does not give."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(report.longrepr)]
    if skipped:
        terminalreporter.section(f"{len(skipped)} TESTS WERE NOT RUN: programs or root are missing", red=True)
