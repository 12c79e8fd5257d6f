"""Goals are where they should be, and a goal is reached when action and truth agree."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.trials import GoalKind, GoalSampler, SampledGoal, Trial, allowance_of, stands_still
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world

KINDS: tuple[GoalKind, ...] = ("near", "far")


@pytest.fixture(scope="module")
def home() -> FreeSpace:
    return FreeSpace(load_world("home"))


@pytest.fixture
def start(home: FreeSpace) -> Array:
    return home.sample_pose(np.random.default_rng(5))


def test_near_goals_are_in_the_same_room_half_to_one_and_a_half_metres_away(home: FreeSpace, start: Array) -> None:
    sampler = GoalSampler(home, seed=3)
    for index in range(0, 12, 2):
        goal = sampler.sample(index, start)
        assert goal.kind == sampler.kind(index) == "near"
        assert home.room_of(goal.pose) == home.room_of(start)
        assert 0.5 <= np.hypot(*(goal.pose[:2] - start[:2])) <= 1.5
        assert 0.5 <= goal.path_length <= 1.5


def test_far_goals_are_in_any_other_room(home: FreeSpace, start: Array) -> None:
    sampler = GoalSampler(home, seed=3)
    rooms = {home.room_of(sampler.sample(index, start).pose) for index in range(1, 60, 2)}
    assert rooms == {room.name for room in home.world.rooms} - {home.room_of(start)}


def test_goals_keep_clear_of_walls_and_furniture(home: FreeSpace, start: Array) -> None:
    sampler = GoalSampler(home, seed=1)
    poses = np.array([sampler.sample(index, start).pose for index in range(12)])
    assert home.free(poses, clearance=0.10).all()


def test_same_seed_and_start_give_the_same_goal_whatever_was_asked_before(home: FreeSpace, start: Array) -> None:
    first = GoalSampler(home, seed=7)
    poses = [first.sample(i, start).pose for i in range(4)]
    second = GoalSampler(home, seed=7)
    assert np.array_equal(second.sample(3, start).pose, poses[3])
    assert not np.array_equal(GoalSampler(home, seed=8).sample(3, start).pose, poses[3])


def test_headings_go_all_the_way_round(home: FreeSpace, start: Array) -> None:
    sampler = GoalSampler(home, seed=0)
    quadrants = {int(sampler.sample(i, start).pose[2] // (math.pi / 2)) for i in range(0, 60, 2)}
    assert quadrants == {-2, -1, 0, 1}


def test_world_of_one_room_has_only_near_goals() -> None:
    sampler = GoalSampler(FreeSpace(load_world("empty")), seed=0)
    assert {sampler.kind(i) for i in range(6)} == {"near"}


def test_world_with_closed_doors_offers_no_far_goal_and_says_so() -> None:
    world = load_world("two_rooms")
    closed = replace(world, doors=tuple(replace(door, open=False) for door in world.doors))
    space = FreeSpace(closed)
    with pytest.raises(AmiError, match=r"no far goal|fits nowhere"):
        GoalSampler(space, seed=0).sample(1, space.sample_pose(np.random.default_rng(0)))


def test_in_a_room_that_is_too_small_for_a_near_goal_it_lies_next_door() -> None:
    """A robot that had explored stood in such a room, and the whole bench ended there."""
    space = FreeSpace(load_world("building:home:4401003"))
    start = np.array([4.27, 4.69, 0.0])
    goal = GoalSampler(space, seed=4301).sample(0, start)
    assert goal.kind == "near" and 0.5 <= goal.path_length <= 1.5 and space.room_of(goal.pose) != space.room_of(start)


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
