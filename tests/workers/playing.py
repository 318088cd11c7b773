"""Plays a conversation to its end with a list of answers."""

from collections.abc import Generator, Sequence
from typing import TypeVar

from workers.decide.conversation import Ask, Heard, Keep, Reply

T = TypeVar("T")


def played(talk: Generator[Ask | Keep, Reply, T], *replies: Reply) -> tuple[Sequence[Ask | Keep], T]:
    """What was asked and kept, and what came of it. Every answer must be asked for, and no other."""
    steps: list[Ask | Keep] = []
    left = list(replies)
    try:
        step = next(talk)
        while True:
            steps.append(step)
            if isinstance(step, Ask):
                assert left, f"nobody answers {step}"
            step = talk.send(Heard(0) if isinstance(step, Keep) else left.pop(0))
    except StopIteration as over:
        assert not left, f"nobody asked for {left}"
        found: T = over.value
        return steps, found
