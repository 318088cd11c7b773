"""Texts on a terminal: what others wrote steers nothing, and looks like no line of ours; numbers agree with their nouns."""


def shown(text: str) -> str:
    """A text with what is not printable written out, by its number."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def in_markup(text: str) -> str:
    """The same where rich reads markup: none of it is read in the text."""
    from rich.markup import escape  # noqa: PLC0415 - takes longer to import than all that most commands need

    return escape(shown(text))


def counted(number: int, what: str) -> str:
    """``1 fault``, ``2 faults``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
