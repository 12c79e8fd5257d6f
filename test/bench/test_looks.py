"""What a look is counted as."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.looks import Look
from ami_ros.bench.looks import look_row
from ami_ros.core.geometry import relative

GOAL, HERE = np.array([2.0, 1.0, 0.5]), np.array([1.5, 1.0, 0.4])


@pytest.mark.parametrize(
    ("error", "odds", "says"),
    [(0.1, 2.0, "exact, sure"), (0.1, 0.5, "exact"), (0.8, 2.0, "not exact, sure"), (0.8, 0.5, "not exact")],
)
def test_a_look_is_counted_by_how_exact_and_how_sure_it_is(error: float, odds: float, says: str) -> None:
    row = look_row("beside", HERE, Look(relative(HERE, GOAL), error, odds), GOAL)
    assert row["says"] == says and row["right"] and row["seen"] and row["distance"] == "to 0.8 m"


def test_what_is_seen_elsewhere_than_the_goal_is_wrong_and_so_is_all_of_another_building() -> None:
    aside = Look(relative(HERE, GOAL + [1.0, 0.0, 0.0]), 0.1, 2.0)
    assert not look_row("beside", HERE, aside, GOAL)["right"]
    assert not look_row("elsewhere", HERE, Look(relative(HERE, GOAL), 0.1, 2.0), None)["right"]
    unseen = look_row("beside", GOAL + [0.0, 0.0, 2.0], None, GOAL)
    assert unseen["says"] == "nothing" and not unseen["right"] and unseen["distance"] == "turned away"
