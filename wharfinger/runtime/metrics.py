"""Counters, gauges and histograms of a service whose processes share one port, in Prometheus' text format. Names none itself.

A service's series are a fixed table, so every value has its place in one anonymous shared mapping, made before its processes
are forked: a row for each process, written by that one alone and by one thread of it; whichever process is asked adds the rows
up. A process that is started again takes the row of the one before it: counters go on, and never fall.

Source: Prometheus' text exposition format, version 0.0.4.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of times."""
OTHER: Final = "other"
"""Every label, where what is counted has none of the table's: nothing is lost, and nothing grows."""
_DOUBLE: Final = 8
_WHOLE: Final = 1e15


class Kind(StrEnum):
    """What a series is, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Series:
    """A row of a service's table.

    ``labels``: each with its values; an empty tuple of values: they are known when asked only, and so is the series' value.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def told(self) -> bool:
        """Whether its values are given by who is asked, not kept."""
        return any(not values for _, values in self.labels)

    def sets(self) -> list[tuple[str, ...]]:
        """Every combination of its labels' values; at the end the one for all others."""
        found = list(product(*(values for _, values in self.labels)))
        return [*found, (OTHER,) * len(self.labels)] if self.labels else found

    @property
    def cells(self) -> int:
        """Numbers that one combination takes: a histogram's counts with the last for the rest, and its sum."""
        return len(self.buckets) + 2 if self.kind is Kind.HISTOGRAM else 1


def counter(name: str, text: str, **labels: Sequence[str]) -> Series:
    """Something that only grows."""
    return Series(name, Kind.COUNTER, text, _labels(labels))


def gauge(name: str, text: str, **labels: Sequence[str]) -> Series:
    """Something that goes up and down; added up over the processes."""
    return Series(name, Kind.GAUGE, text, _labels(labels))


def histogram(name: str, text: str, buckets: tuple[float, ...] = SECONDS, **labels: Sequence[str]) -> Series:
    """How often what is measured was below each of some bounds."""
    return Series(name, Kind.HISTOGRAM, text, _labels(labels), buckets)


@dataclass(frozen=True, slots=True)
class Told:
    """A value that who is asked knows, of a series with labels of its own."""

    series: Series
    labels: tuple[str, ...]
    value: float


class Board:
    """The shared numbers of one service: as many rows as it has processes."""

    def __init__(self, table: Sequence[Series], rows: int = 1) -> None:
        self._table = tuple(table)
        self._places: dict[str, dict[tuple[str, ...], int]] = {}
        width = 0
        for series in self._table:
            if series.told:
                continue
            places = self._places[series.name] = {}
            for labels in series.sets():
                places[labels] = width
                width += series.cells
        self._rows = rows
        self._width = max(1, width)
        # Anonymous and shared: a fork has the same memory, and the last process to end frees it.
        self._numbers = memoryview(mmap.mmap(-1, rows * self._width * _DOUBLE)).cast("d")

    def meter(self, row: int = 0) -> "Meter":
        """What the process of a row writes with."""
        return Meter(self, self._numbers[row * self._width : (row + 1) * self._width], self._places)

    def text(self, told: Iterable[Told] = ()) -> str:
        """Every series, summed over the rows."""
        given: dict[str, list[Told]] = {}
        for one in told:
            given.setdefault(one.series.name, []).append(one)
        lines: list[str] = []
        for series in self._table:
            lines += [f"# HELP {series.name} {_escaped(series.help)}", f"# TYPE {series.name} {series.kind}"]
            names = tuple(name for name, _ in series.labels)
            if series.told:
                lines += [_line(series.name, names, one.labels, one.value) for one in given.get(series.name, ())]
            else:
                lines += self._kept(series, names)
        return "\n".join(lines) + "\n"

    def gauges(self) -> Iterator[int]:
        """Where the gauges of a row are."""
        for series in self._table:
            if series.kind is Kind.GAUGE:
                yield from self._places.get(series.name, {}).values()

    def _kept(self, series: Series, names: tuple[str, ...]) -> Iterator[str]:
        for labels, place in self._places[series.name].items():
            cells = [self._sum(place + at) for at in range(series.cells)]
            if labels and set(labels) == {OTHER} and not any(cells):
                continue
            if series.kind is Kind.HISTOGRAM:
                yield from _histogram(series, names, labels, cells)
            else:
                yield _line(series.name, names, labels, cells[0])

    def _sum(self, place: int) -> float:
        return sum(self._numbers[row * self._width + place] for row in range(self._rows))


class Meter:
    """One process's row, written by one thread."""

    def __init__(self, board: Board, numbers: "memoryview[float]", places: dict[str, dict[tuple[str, ...], int]]) -> None:
        self._board = board
        self._numbers = numbers
        self._places = places

    def begin(self) -> None:
        """A process starts with this row: what one before it had going is over."""
        for place in self._board.gauges():
            self._numbers[place] = 0.0

    def add(self, series: Series, *labels: str, by: float = 1.0) -> None:
        """Count; a gauge may go down too."""
        self._numbers[self._place(series, labels)] += by

    def observe(self, series: Series, value: float, *labels: str) -> None:
        """Take a measurement into a histogram."""
        place = self._place(series, labels)
        self._numbers[place + bisect_left(series.buckets, value)] += 1.0
        self._numbers[place + len(series.buckets) + 1] += value

    def text(self, told: Iterable[Told] = ()) -> str:
        """What all processes of the service wrote."""
        return self._board.text(told)

    def _place(self, series: Series, labels: tuple[str, ...]) -> int:
        places = self._places[series.name]
        found = places.get(labels)
        return places[(OTHER,) * len(labels)] if found is None else found


def _labels(given: dict[str, Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(values)) for name, values in given.items())


def _histogram(series: Series, names: tuple[str, ...], labels: tuple[str, ...], cells: list[float]) -> Iterator[str]:
    so_far = 0.0
    for bound, count in zip([*map(_number, series.buckets), "+Inf"], cells, strict=False):
        so_far += count
        yield _line(f"{series.name}_bucket", (*names, "le"), (*labels, bound), so_far)
    yield _line(f"{series.name}_sum", names, labels, cells[-1])
    # From the same cells as the last bucket: the two never differ.
    yield _line(f"{series.name}_count", names, labels, so_far)


def _line(name: str, names: tuple[str, ...], labels: tuple[str, ...], value: float) -> str:
    pairs = ",".join(f'{label}="{_quoted(text)}"' for label, text in zip(names, labels, strict=True))
    return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < _WHOLE else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
