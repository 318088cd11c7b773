"""How a crowd's events get to us: late, out of order, several at a time, and again and again."""

import random
from collections.abc import Iterator, Sequence

from tests.attribution.truth import Arrival, Played


def arrivals(played: Sequence[Played], seed: int) -> Iterator[Arrival]:
    """The notifications, in the order in which they come; now and then one with several events."""
    chance = random.Random(seed)
    coming = sorted(
        ((at_ms, number) for number, one in enumerate(played) for at_ms in one.arrivals),
    )
    held: Arrival | None = None
    for at_ms, number in coming:
        if held is not None and (at_ms - held.at_ms > 1_000 or chance.random() < 0.97):
            yield held
            held = None
        if held is None:
            held = Arrival(at_ms)
        held.at_ms = at_ms
        held.played.append(played[number])
    if held is not None:
        yield held
