import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.trials import GoalKind, SampledGoal, Trial, allowance_of, stands_still

KINDS: tuple[GoalKind, ...] = ("near", "far")


def test_goal_is_reached_when_action_and_truth_agree(trial: Callable[..., Trial]) -> None:
    assert trial().success


def test_heading_error_goes_the_short_way_round(trial: Callable[..., Trial]) -> None:
    assert trial().heading_error_rad == pytest.approx(0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "aborted"},
        {"status": "canceled"},
        {"still": False},
        {"final": (1.31, 0.0, math.pi - 0.05)},
        {"final": (1.0, 0.0, math.pi - 0.05 - math.radians(31))},
        {"time_s": 30.5},
    ],
)
def test_goal_is_not_reached_when_any_condition_fails(trial: Callable[..., Trial], change: dict[str, Any]) -> None:
    assert not trial(**change).success


def test_a_goal_has_more_time_where_it_is_far_and_where_the_robot_has_to_look_for_it() -> None:
    def goal(kind: GoalKind, way: float) -> SampledGoal:
        return SampledGoal(kind, np.zeros(3), way)

    allowed = [allowance_of(goal(kind, 4.0), explored) for explored in (False, True) for kind in KINDS]
    assert allowed == [30.0, 90.0, 60.0, 300.0]
    assert allowance_of(goal("far", 20.0)) == 120.0 and allowance_of(goal("far", 20.0), explored=True) == 300.0


def test_json_holds_what_the_issue_asks_and_nothing_that_json_lacks(trial: Callable[..., Trial]) -> None:
    path = np.array([[0.0, 0.0], [0.3, 0.4], [1.1, 0.1]])
    entry = json.loads(json.dumps(trial(path=path, final=(math.nan,) * 3).to_json(), allow_nan=False))
    asked = "kind start goal success final_distance_m heading_error_rad time_s collisions replans error_code error_msg"
    assert set(asked.split()) <= set(entry)
    assert entry["final_distance_m"] is None
    assert entry["driven_m"] == pytest.approx(0.5 + math.hypot(0.8, 0.3), abs=1e-3)
    assert "path" not in entry


def test_standing_still_needs_half_a_second_without_motion() -> None:
    times = np.arange(0.0, 1.01, 0.1)
    rest = np.zeros((len(times), 3))
    assert stands_still(times, rest)
    assert not stands_still(times[:4], rest[:4])
    assert not stands_still(np.array([]), np.zeros((0, 3)))


@pytest.mark.parametrize("column", [0, 2])
def test_a_robot_that_rolls_or_turns_does_not_stand_still(column: int) -> None:
    times = np.arange(0.0, 1.01, 0.1)
    poses = np.zeros((len(times), 3))
    poses[:, column] = 0.1 * times
    assert not stands_still(times, poses)
