"""Counters, gauges and histograms: what a parser of Prometheus' reads back, over rows of several processes."""

import os
import signal
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wharfinger.runtime.metrics import Board, Told, counter, gauge, histogram

DONE = counter("made_done_total", 'Things done, by "whom" and\nhow: C:\\.', who=("zoe", "bob"), how=("well", "badly"))
GOING = gauge("made_going", "Things going on.")
TOOK = histogram("made_took_seconds", "How long.", (0.1, 1.0, 5.0))
KINDS = histogram("made_kinds_seconds", "How long, by kind.", (1.0,), kind=("a", "b"))
KEYS = gauge("made_key_seconds", "What only who is asked knows.", key=())
TABLE = (DONE, GOING, TOOK, KINDS, KEYS)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """Every sample."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Those of one name."""
    return {labels: value for (found, labels), value in samples.items() if found == name}


def test_everything_starts_at_zero() -> None:
    """Each series has its help and type, and each combination of labels is there before anything happened."""
    families = {family.name: family for family in text_string_to_metric_families(Board(TABLE).meter().text())}
    assert {name: family.type for name, family in families.items()} == {
        "made_done": "counter",
        "made_going": "gauge",
        "made_took_seconds": "histogram",
        "made_kinds_seconds": "histogram",
        "made_key_seconds": "gauge",
    }
    assert families["made_done"].documentation == DONE.help
    assert [sample.value for sample in families["made_done"].samples] == [0, 0, 0, 0]
    assert families["made_key_seconds"].samples == []


def test_rows_add_up() -> None:
    """Whichever row is asked tells the sum."""
    board = Board(TABLE, 3)
    first, second = board.meter(0), board.meter(2)
    first.add(DONE, "zoe", "well")
    second.add(DONE, "zoe", "well", by=2)
    second.add(DONE, "bob", "badly", by=0.5)
    second.add(GOING, by=4)
    first.add(GOING, by=-1)
    assert first.text() == second.text() == board.text()
    samples = read(first.text())
    done = of(samples, "made_done_total")
    assert done[("how", "well"), ("who", "zoe")] == 3
    assert done[("how", "badly"), ("who", "bob")] == 0.5
    assert of(samples, "made_going") == {(): 3}


@pytest.mark.parametrize(
    ("buckets", "values"),
    [
        ([0, 0, 0, 0], []),
        ([1, 1, 1, 1], [0.1]),
        ([0, 1, 1, 1], [0.100001]),
        ([1, 2, 3, 4], [-3, 0.5, 5.0, 6]),
        ([0, 0, 0, 2], [1e9, 1e9]),
    ],
)
def test_a_histogram(buckets: list[int], values: list[float]) -> None:
    """Counts are cumulative, a bound belongs to its bucket, and the last is everything."""
    meter = Board(TABLE).meter()
    for value in values:
        meter.observe(TOOK, value)
    samples = read(meter.text())
    found = of(samples, "made_took_seconds_bucket")
    assert buckets == [found[(("le", bound),)] for bound in ("0.1", "1", "5", "+Inf")]
    assert of(samples, "made_took_seconds_count") == {(): len(values)}
    assert of(samples, "made_took_seconds_sum") == {(): pytest.approx(sum(values))}


def test_a_histogram_with_labels() -> None:
    """Each combination has its own cells."""
    meter = Board(TABLE).meter()
    meter.observe(KINDS, 0.5, "b")
    samples = read(meter.text())
    assert of(samples, "made_kinds_seconds_count") == {(("kind", "a"),): 0, (("kind", "b"),): 1}
    assert of(samples, "made_kinds_seconds_bucket")[("kind", "b"), ("le", "1")] == 1


def test_what_the_table_does_not_have_is_other() -> None:
    """It is counted, and shown only then: no label of a client's makes a series."""
    meter = Board(TABLE).meter()
    meter.add(DONE, "zoe", "sideways")
    meter.add(DONE, "mallory", "well")
    assert of(read(meter.text()), "made_done_total")[("how", "other"), ("who", "other")] == 2
    assert "mallory" not in meter.text()


@pytest.mark.parametrize("name", ["main", 'a "b"', "back\\slash", "two\nlines", "zoë"])
def test_what_only_who_is_asked_knows(name: str) -> None:
    """Given with the question; a label may hold anything."""
    meter = Board(TABLE).meter()
    samples = read(meter.text([Told(KEYS, (name,), -1.5), Told(KEYS, ("other",), 2)]))
    assert of(samples, "made_key_seconds") == {(("key", name),): -1.5, (("key", "other"),): 2}


def test_a_process_that_is_started_again() -> None:
    """It goes on with the counters of the one before it; what that had going is over."""
    board = Board(TABLE, 2)
    board.meter(1).add(GOING, by=7)
    board.meter(0).add(GOING, by=1)
    board.meter(1).add(DONE, "zoe", "well", by=5)
    again = board.meter(1)
    again.begin()
    again.add(DONE, "zoe", "well")
    samples = read(again.text())
    assert of(samples, "made_going") == {(): 1}
    assert of(samples, "made_done_total")[("how", "well"), ("who", "zoe")] == 6


def test_forked_processes_share_it() -> None:
    """Each writes its row, the parent reads them all, also of those that ended badly."""
    board = Board(TABLE, 4)
    children = []
    for row in range(4):
        pid = os.fork()
        if not pid:
            meter = board.meter(row)
            for _ in range(1_000 * (row + 1)):
                meter.add(DONE, "bob", "well")
            os.kill(os.getpid(), signal.SIGKILL if row == 3 else signal.SIGTERM)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    assert statuses == [signal.SIGTERM] * 3 + [signal.SIGKILL]
    done: Mapping[tuple[tuple[str, str], ...], float] = of(read(board.text()), "made_done_total")
    assert done[("how", "well"), ("who", "bob")] == 10_000


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("12", 12.0), ("0.25", 0.25), ("-3", -3.0), ("1e+300", 1e300)])
def test_numbers(text: str, value: float) -> None:
    """Whole ones without a point."""
    assert f'made_key_seconds{{key="k"}} {text}\n' in Board((KEYS,)).text([Told(KEYS, ("k",), value)])


def test_a_table_of_none() -> None:
    """Nothing to tell is told."""
    assert Board(()).text() == "\n"
