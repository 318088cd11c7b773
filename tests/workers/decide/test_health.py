"""Whether a new container serves."""

from typing import Any

import pytest

from workers.decide.health import RESTARTS, STEADY_S, Health, failing, health


def state(status: str = "", **more: Any) -> dict[str, Any]:
    """A running container's state, with what its check says."""
    return {"Running": True} | ({"Health": {"Status": status}} if status else {}) | more


@pytest.mark.parametrize(
    ("state", "restarts", "running_s", "expected"),
    [
        (state("healthy"), 0, 0, Health.SERVES),
        (state("unhealthy"), 0, 0, Health.FAILED),
        (state("starting"), 0, 99, Health.STARTING),
        (state("healthy", Running=False), 0, 0, Health.FAILED),
        # A check decides, not a restart on the way; but not for ever.
        (state("healthy"), RESTARTS, 0, Health.SERVES),
        (state("unhealthy", Restarting=True), RESTARTS, 0, Health.STARTING),
        (state("unhealthy", Restarting=True), RESTARTS + 1, 0, Health.FAILED),
        (state("healthy"), RESTARTS + 1, 0, Health.FAILED),
        (state(), 0, STEADY_S - 1, Health.STARTING),
        (state("none"), 0, STEADY_S, Health.SERVES),
        (state(), 1, STEADY_S, Health.FAILED),
        (state(Restarting=True), 0, STEADY_S, Health.FAILED),
        (state(Running=False), 0, 0, Health.FAILED),
    ],
)
def test_health(state: dict[str, Any], restarts: int, running_s: float, expected: Health) -> None:
    """By its own check, else by running steadily."""
    assert health({"State": state, "RestartCount": restarts}, running_s=running_s) is expected


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (None, "is gone"),
        ({"State": {"Running": False, "ExitCode": 3}}, "ended with exit code 3"),
        (
            {"State": {"Running": True, "ExitCode": 1}, "RestartCount": 2},
            "ended with exit code 1 and was restarted 2 times by its policy",
        ),
        ({"State": {"Running": True, "ExitCode": 0}}, "is unhealthy"),
    ],
)
def test_failing(container: dict[str, Any] | None, said: str) -> None:
    """Why it was undone, in words."""
    assert failing(container) == said
