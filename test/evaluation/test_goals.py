import math

import numpy as np
import pytest

from ami_ros.errors import AmiError
from ami_ros.evaluation.goals import GoalSampler


class Rooms:
    """Square rooms of 3 m in a row, joined along y = 1.5."""

    def __init__(self, count):
        self.rooms = tuple(f"room{i}" for i in range(count))

    def room_of(self, xy):
        return self.rooms[min(int(xy[0] // 3), len(self.rooms) - 1)]

    def sample_pose(self, rng, room=None):
        index = rng.integers(len(self.rooms)) if room is None else self.rooms.index(room)
        return np.array([3 * index + rng.uniform(0.2, 2.8), rng.uniform(0.2, 2.8), rng.uniform(-math.pi, math.pi)])

    def path_length(self, a, b):
        return float(np.hypot(*(b[:2] - a[:2])))


START = np.array([1.5, 1.5, 0.0])


def test_near_goals_are_in_the_same_room_half_to_one_and_a_half_metres_away():
    sampler = GoalSampler(Rooms(3), seed=3)
    for index in range(0, 20, 2):
        goal = sampler.sample(index, START)
        assert goal.kind == "near"
        assert sampler.kind(index) == "near"
        assert goal.pose[0] < 3
        assert 0.5 <= np.hypot(*(goal.pose[:2] - START[:2])) <= 1.5


def test_far_goals_are_in_any_other_room():
    space = Rooms(3)
    sampler = GoalSampler(space, seed=3)
    rooms = {space.room_of(sampler.sample(index, START).pose[:2]) for index in range(1, 40, 2)}
    assert rooms == {"room1", "room2"}


def test_same_seed_and_start_give_the_same_goals_whatever_was_asked_before():
    first = GoalSampler(Rooms(2), seed=7)
    poses = [first.sample(i, START).pose for i in range(4)]
    second = GoalSampler(Rooms(2), seed=7)
    assert np.array_equal(second.sample(3, START).pose, poses[3])
    assert not np.array_equal(GoalSampler(Rooms(2), seed=8).sample(3, START).pose, poses[3])


def test_headings_go_all_the_way_round():
    sampler = GoalSampler(Rooms(2), seed=0)
    quadrants = {int(sampler.sample(i, START).pose[2] // (math.pi / 2)) for i in range(40)}
    assert quadrants == {-2, -1, 0, 1}


def test_world_of_one_room_has_only_near_goals():
    assert {GoalSampler(Rooms(1), seed=0).kind(i) for i in range(6)} == {"near"}


def test_world_without_room_for_a_goal_says_so():
    class Closed(Rooms):
        def path_length(self, a, b):
            return math.inf

    with pytest.raises(AmiError, match="no far goal"):
        GoalSampler(Closed(2), seed=0).sample(1, START)
