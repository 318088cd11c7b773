"""Numbers into markdown: percentiles, ratios, tables. Measures nothing."""

import math
from collections.abc import Iterable, Sequence


def percentile(values: Iterable[float], percent: float) -> float:
    """The value at or below which so many percent lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ms(seconds: float) -> str:
    """A duration as tables show it, in milliseconds."""
    value = seconds * 1_000
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def p50_p99(seconds: Sequence[float]) -> tuple[str, str]:
    """Both, in milliseconds."""
    return ms(percentile(seconds, 50)), ms(percentile(seconds, 99))


def title(text: str, machine: str) -> None:
    """Print a heading, and what it was measured on."""
    print(f"\n## {text}\n\n{machine}.\n", flush=True)


def remark(text: str) -> None:
    """Print a paragraph."""
    print(f"{text}\n", flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; the first column is words, the others numbers."""
    print("| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)
