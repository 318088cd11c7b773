"""The vocabulary as types: plain strings at run time, distinct to the type checker. Leaves their validation to the grammars."""

from typing import NewType

Jti = NewType("Jti", str)
"""A token's id: 26 characters, see :mod:`wharfinger.wire.jti`."""

Account = NewType("Account", str)
"""An authenticated account; the empty string is the anonymous one."""

Subject = NewType("Subject", str)
"""A token's ``sub`` claim, which the registry repeats as ``actor.name``."""

Repository = NewType("Repository", str)
"""A repository's path inside its registry, without a host."""

Digest = NewType("Digest", str)
"""A content digest, ``algorithm:hex``."""

EventId = NewType("EventId", str)
"""The registry's id of one event, unchanged by re-deliveries."""

DeliveryId = NewType("DeliveryId", str)
"""A delivery's id, ``dlv_`` and 26 characters, constant over retries."""
