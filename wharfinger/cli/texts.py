"""Texts that others wrote, on a terminal: nothing in them steers it, or looks like a line of ours."""

from rich.markup import escape


def shown(text: str) -> str:
    """A text with what is not printable written out, by its number."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def in_markup(text: str) -> str:
    """The same where rich reads markup: none of it is read in the text."""
    return escape(shown(text))
