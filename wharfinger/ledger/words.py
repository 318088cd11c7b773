"""The dictionary of repeated texts: numbers for rows, texts for people. Numbers are given inside the writer's transaction.

What a transaction that was rolled back gave is forgotten with it. Removed words (erasure) raise the tree's epoch: whoever
remembers words of another epoch forgets all of them, so that no row ever names a word that is gone.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, func, insert, select

from wharfinger.ledger import schema

MAX_REMEMBERED: Final = 200_000
_KIND: Final = {name: number for number, name in enumerate(schema.WORD_KINDS, start=1)}

Word = tuple[str, str]
"""Kind and text."""


class Words:
    """One process's memory of the dictionary."""

    def __init__(self) -> None:
        self._numbers: dict[Word, int] = {}
        self._texts: dict[int, str] = {0: ""}
        self._pending: dict[Word, int] = {}
        self._epoch = 0

    def numbers(self, connection: Connection, wanted: Iterable[Word], *, epoch: int) -> Mapping[Word, int]:
        """The number of each word, given now to those that have none. Empty texts are 0. Inside the writer's transaction."""
        self._forget_other(epoch)
        found = {word: 0 if not word[1] else self._numbers.get(word) for word in wanted}
        missing = [word for word, number in found.items() if number is None]
        if missing:
            self._pending |= self._look_up(connection, missing)
            new = [word for word in missing if word not in self._pending]
            if new:
                self._pending |= _give(connection, new)
        return {word: self._pending[word] if number is None else number for word, number in found.items()}

    def existing(self, connection: Connection, kind: str, texts: Iterable[str]) -> dict[str, int]:
        """The numbers of texts that have one; for reading, so none is given."""
        found = self._look_up(connection, [(kind, text) for text in texts if text])
        return {text: number for (_, text), number in found.items()}

    def all_of(self, connection: Connection, kind: str) -> dict[str, int]:
        """Every word of one kind."""
        rows = connection.execute(select(schema.words.c.text, schema.words.c.id).where(schema.words.c.kind == _KIND[kind]))
        return {row.text: row.id for row in rows}

    def texts(self, connection: Connection, numbers: Iterable[int], *, epoch: int) -> Mapping[int, str]:
        """The text of each number; empty for one that was erased."""
        self._forget_other(epoch)
        wanted = set(numbers)
        missing = [number for number in wanted if number not in self._texts]
        for at in range(0, len(missing), 500):
            chunk = missing[at : at + 500]
            rows = connection.execute(select(schema.words.c.id, schema.words.c.text).where(schema.words.c.id.in_(chunk)))
            self._texts |= {row.id: row.text for row in rows}
        if len(self._texts) > MAX_REMEMBERED:
            kept = {number: self._texts[number] for number in wanted if number in self._texts}
            self._texts = {0: "", **kept}
            return kept
        return {number: self._texts.get(number, "") for number in wanted}

    def committed(self) -> None:
        """The transaction is durable: what it gave holds."""
        if len(self._numbers) + len(self._pending) > MAX_REMEMBERED:
            self._numbers.clear()
        self._numbers |= self._pending
        self._pending = {}

    def rolled_back(self) -> None:
        """The transaction is undone."""
        self._pending = {}

    def _forget_other(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._numbers, self._pending, self._texts, self._epoch = {}, {}, {0: ""}, epoch

    @staticmethod
    def _look_up(connection: Connection, words: list[Word]) -> dict[Word, int]:
        found: dict[Word, int] = {}
        for kind in {kind for kind, _ in words}:
            texts = [text for one, text in words if one == kind]
            for at in range(0, len(texts), 500):
                table = schema.words.c
                query = select(table.text, table.id).where(table.kind == _KIND[kind], table.text.in_(texts[at : at + 500]))
                found |= {(kind, row.text): row.id for row in connection.execute(query)}
        return found


def _give(connection: Connection, new: list[Word]) -> dict[Word, int]:
    last = connection.execute(select(func.coalesce(func.max(schema.words.c.id), 0))).scalar_one()
    given = {word: last + at for at, word in enumerate(new, start=1)}
    rows = [{"id": number, "kind": _KIND[kind], "text": text} for (kind, text), number in given.items()]
    connection.execute(insert(schema.words), rows)
    return given
