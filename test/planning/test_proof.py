"""Arrivals are proven by two looks from two poses that agree."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import relative
from ami_ros.planning.proof import Proof, SecondLook

GOAL = np.array([2.0, 1.0, 0.5])
HERE, BEFORE = np.array([1.95, 1.0, 0.45]), np.array([1.5, 0.9, 0.4])


def looked(*looks: tuple[float, np.ndarray, np.ndarray]) -> Proof:
    proof = Proof()
    for stamp, robot, goal in looks:
        proof.add(stamp, robot, relative(robot, goal))
    return proof


def test_two_looks_from_two_poses_at_one_place_are_proof() -> None:
    proof = looked((0.0, BEFORE, GOAL), (3.0, HERE, GOAL))
    assert proof.holds(3.2, HERE, relative(HERE, GOAL))


def test_any_number_of_looks_from_one_pose_is_none() -> None:
    proof = looked(*((0.1 * k, HERE, GOAL) for k in range(20)))
    assert not proof.holds(2.0, HERE, relative(HERE, GOAL))


def test_looks_that_see_it_elsewhere_are_none() -> None:
    proof = looked((0.0, BEFORE, GOAL + [0.6, 0.0, 0.0]), (3.0, HERE, GOAL))
    assert not proof.holds(3.2, HERE, relative(HERE, GOAL))
    turned = looked((0.0, BEFORE, GOAL + [0.0, 0.0, 0.6]), (3.0, HERE, GOAL))
    assert not turned.holds(3.2, HERE, relative(HERE, GOAL))


def test_the_goal_has_to_be_recognised_from_where_the_robot_stands_and_lately() -> None:
    assert not looked((0.0, BEFORE, GOAL)).holds(1.0, HERE, relative(HERE, GOAL))
    old = looked((0.0, BEFORE, GOAL), (1.0, HERE, GOAL))
    assert not old.holds(5.0, HERE, relative(HERE, GOAL))


def test_a_goal_that_seems_to_be_wherever_the_robot_is_is_not_there() -> None:
    """As before a plain wall: every picture is like every other, and the goal is always here."""
    poses = [GOAL + [-0.1 * k, 0.0, 0.0] for k in range(6, 0, -1)]
    proof = looked(*((0.5 * k, pose, pose) for k, pose in enumerate(poses)))
    assert not proof.holds(2.6, poses[-1], np.zeros(3))


def test_what_is_believed_has_to_agree_with_what_was_seen() -> None:
    proof = looked((0.0, BEFORE, GOAL), (3.0, HERE, GOAL))
    assert not proof.holds(3.2, HERE, relative(HERE, GOAL + [0.4, 0.0, 0.0]))


def test_a_turn_is_no_other_pose() -> None:
    """It changes what is seen, but tells nothing of distances."""
    proof = looked((0.0, HERE + [0.0, 0.0, 0.5], GOAL), (3.0, HERE, GOAL))
    assert not proof.holds(3.2, HERE, relative(HERE, GOAL))


def test_the_robot_goes_back_twice_to_look_again() -> None:
    look = SecondLook()
    assert not look.under_way(0.0, HERE)
    assert look.begin(0.0, HERE) and look.under_way(0.1, HERE)
    assert not look.under_way(1.0, HERE + [0.4, 0.0, 0.0]) and not look.under_way(1.1, HERE)
    assert look.begin(2.0, HERE)
    assert not look.begin(4.0, HERE)
    look.restart()
    assert look.begin(3.0, HERE) and not look.under_way(9.0, HERE), "it may be blocked"


def test_a_goal_that_is_elsewhere_begins_anew() -> None:
    proof = looked((0.0, BEFORE, GOAL), (3.0, HERE, GOAL))
    proof.forget()
    assert not proof.holds(3.2, HERE, relative(HERE, GOAL))
