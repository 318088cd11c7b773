"""Decides from inspections of a new container whether it serves, has failed, or must be looked at again. Waits for nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

STEADY_S: Final = 5.0
"""Without a health check a container serves when it has run so long without a restart."""
RESTARTS: Final = 2
"""With one it may be restarted so often by its own policy before it is healthy: a program may die once of what the old one left
behind (a lock, a port). One that dies again and again must not keep the old one out until the time is up."""


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
    state, restarts = container["State"], container.get("RestartCount", 0)
    checked = (state.get("Health") or {}).get("Status", "none")
    if checked == "none":
        return _unchecked(state, restarts, running_s)
    if not state.get("Running") or restarts > RESTARTS:
        return Health.FAILED
    # Between two runs the Engine says unhealthy of what it has not asked yet.
    if state.get("Restarting") or checked == "starting":
        return Health.STARTING
    return Health.SERVES if checked == "healthy" else Health.FAILED


def failing(container: Mapping[str, Any] | None) -> str:
    """What a new container that failed did, for people. None: it is gone."""
    if container is None:
        return "is gone"
    state, restarts = container["State"], container.get("RestartCount", 0)
    ended = f"ended with exit code {state.get('ExitCode')}"
    if restarts:
        return f"{ended} and was restarted {restarts} times by its policy"
    return "is unhealthy" if state.get("Running") else ended


def _unchecked(state: Mapping[str, Any], restarts: int, running_s: float) -> Health:
    if not state.get("Running") or state.get("Restarting") or restarts:
        return Health.FAILED
    return Health.SERVES if running_s >= STEADY_S else Health.STARTING
