"""Numbers for the words of a fixed vocabulary, as rows hold them. Part of the format: only ever added to, never changed.

A word that has no number yet (of a newer version's, or none of ours) is refused by the writer rather than lost.
"""

from typing import Final

_WORDS: Final = (
    "",
    # kinds of records
    "issuance", "refusal", "event", "quarantine", "delivery", "alarm", "erasure", "pruning", "gap",
    # actions
    "push", "pull", "probe", "mount", "delete", "untag", "other", "deliver", "issue", "refuse",
    # kinds of objects
    "manifest", "index", "blob", "tag", "repository", "unknown",
    # methods
    "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE",
    # verdicts
    "exact", "inferred", "ambiguous", "unattributed", "forged", "account_mismatch", "outside_grant", "revoked",
    # states of deliveries
    "waiting", "held", "sending", "delivered", "unchanged", "superseded", "tag_missing", "refused", "undone",
    "failed", "cancelled",
    # what people tell the deployments
    "steering", "approve", "reject", "pause", "resume", "block", "unblock", "force",
)  # fmt: skip

CODES: Final = {word: number for number, word in enumerate(_WORDS)}
"""By word."""
WORDS: Final = _WORDS
"""By number."""
