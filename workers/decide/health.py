"""Decides from inspections of a new container whether it serves, has failed, or must be looked at again. Waits for nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

STEADY_S: Final = 5.0
"""Without a health check a container serves when it has run so long without a restart."""


class Health(StrEnum):
    """How a new container does."""

    SERVES = "serves"
    FAILED = "failed"
    STARTING = "starting"


def health(container: Mapping[str, Any], *, running_s: float) -> Health:
    """What an inspection says.

    Args:
        container: the Engine's inspection.
        running_s: how long ago it was started.
    """
    state = container["State"]
    if not state.get("Running") or state.get("Restarting") or container.get("RestartCount", 0) > 0:
        return Health.FAILED
    match (state.get("Health") or {}).get("Status", "none"):
        case "healthy":
            return Health.SERVES
        case "unhealthy":
            return Health.FAILED
        case "none":
            return Health.SERVES if running_s >= STEADY_S else Health.STARTING
        case _:
            return Health.STARTING
