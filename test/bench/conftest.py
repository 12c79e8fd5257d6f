import math
from collections.abc import Callable
from typing import Any

import pytest

from ami_ros.bench.trials import Trial


@pytest.fixture
def trial() -> Callable[..., Trial]:
    """Makes a near trial that reached its goal, but for what the caller changes."""

    def make(**changes: Any) -> Trial:
        values: dict[str, Any] = {
            "kind": "near",
            "start": (0.0, 0.0, 0.0),
            "goal": (1.0, 0.0, math.pi - 0.05),
            "path_length_m": 1.0,
            "allowance_s": 30.0,
            "status": "succeeded",
            "still": True,
            "final": (1.1, 0.1, -math.pi + 0.05),
            "time_s": 8.0,
            "collisions": 0,
            "replans": 40,
            "recoveries": 0,
            "error_code": 0,
            "error_msg": "",
        }
        return Trial(**(values | changes))

    return make
