"""Whether a new container serves."""

from typing import Any

import pytest

from workers.decide.health import STEADY_S, Health, health


@pytest.mark.parametrize(
    ("state", "restarts", "running_s", "expected"),
    [
        ({"Running": True, "Health": {"Status": "healthy"}}, 0, 0, Health.SERVES),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, 0, 0, Health.FAILED),
        ({"Running": True, "Health": {"Status": "starting"}}, 0, 99, Health.STARTING),
        ({"Running": True}, 0, STEADY_S - 1, Health.STARTING),
        ({"Running": True, "Health": {"Status": "none"}}, 0, STEADY_S, Health.SERVES),
        ({"Running": True}, 1, STEADY_S, Health.FAILED),
        ({"Running": True, "Restarting": True}, 0, STEADY_S, Health.FAILED),
        ({"Running": False}, 0, 0, Health.FAILED),
    ],
)
def test_health(state: dict[str, Any], restarts: int, running_s: float, expected: Health) -> None:
    """By its own check, else by running steadily."""
    assert health({"State": state, "RestartCount": restarts}, running_s=running_s) is expected
