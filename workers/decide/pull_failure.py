"""Decides whether a pull that failed can succeed later: by the Engine's status, or its words once the stream has begun.

What is not listed is tried again: a registry that does not answer, a full disk, a token that ran out in a long pull. The tag
was found just before with the same account, so nothing listed is on its way to getting better. Seen on Engines 20.10 and 29.
"""

from typing import Final

NOT_FOUND: Final = 404
"""The Engine's answer for what the registry does not have, or does not show to this account."""
FINAL_WORDS: Final = (
    "manifest unknown",
    "denied",
    "no matching manifest for ",
    "unsupported media type",
    "mismatched image rootfs and manifest layers",
)
"""The same in the stream; of another platform; no image at all (a chart, a signature)."""


def is_final(status: int, message: str) -> bool:
    """Whether trying again is of no use.

    Args:
        status: the Engine's HTTP status; 200 when the error stands in the stream.
        message: what it said.
    """
    return status == NOT_FOUND or any(words in message for words in FINAL_WORDS)
