"""Where the goal is believed to be, by what is known of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.belief import GoalBelief
from ami_ros.core.geometry import relative
from ami_ros.planning.route_follower import FollowerConfig, RouteFollower
from ami_ros.planning.types import Goal
from ami_ros.world_model.array_pairs import Compared
from ami_ros.world_model.layers import Floats
from harness.course import GOAL, location_of, route_to
from harness.exact_model import ExactModel, latent_of

from .conftest import percept_of, robot_at

ROBOT = robot_at(1.2, 1.5, 2.0)
HERE = percept_of(ROBOT, location_of(ROBOT))
AHEAD = relative(ROBOT.ground_truth().pose, GOAL)


def belief(goal: Goal, model: ExactModel) -> GoalBelief:
    return GoalBelief(goal, model, approach=1.6)


def test_a_picture_is_seen_by_the_latents(model: ExactModel) -> None:
    sight = belief(Goal(latent=latent_of(GOAL)), model).look(HERE, None)
    assert sight.pose is not None
    np.testing.assert_allclose(sight.pose, AHEAD, atol=1e-3)
    assert sight.energy == pytest.approx(float(np.hypot(*AHEAD[:2])), abs=1e-3) and sight.left == 0.0


def test_a_pose_in_odom_needs_neither_latents_nor_memory(model: ExactModel) -> None:
    sight = belief(Goal(pose=HERE.odometry + [1.0, 0.0, 0.0]), model).look(HERE, None)
    assert sight.distance == pytest.approx(1.0) and np.isnan(sight.energy)


def test_a_place_is_where_the_route_ends(model: ExactModel) -> None:
    follower = RouteFollower(route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3)), FollowerConfig())
    place = belief(Goal(place_id=3), model)
    sight = place.look(HERE, follower)
    assert sight.pose is not None
    np.testing.assert_allclose(sight.pose, AHEAD, atol=1e-6)
    assert sight.left > 1.8
    assert place.look(replace(HERE, location=None), follower).pose is None


def test_at_the_end_of_a_route_the_goal_itself_is_the_target_even_from_afar(model: ExactModel) -> None:
    place = GoalBelief(Goal(place_id=3), model, approach=0.5)
    follower = RouteFollower(route_to(GOAL, (1.2, 1.5)), FollowerConfig())
    sight = place.look(HERE, follower)
    assert sight.left > 1.5 and sight.close


def test_sightings_from_afar_are_not_kept(model: ExactModel) -> None:
    far = GoalBelief(Goal(latent=latent_of(GOAL)), model, approach=1.0)
    follower = RouteFollower(route_to(GOAL, (1.2, 1.5), (2.8, 2.3)), FollowerConfig())
    far.look(HERE, follower)
    assert not far.tracker.sightings
    far.look(HERE, None)
    assert len(far.tracker.sightings) == 1
    far.restart()
    assert not far.tracker.sightings


class Pairs:
    """Pictures that never show the goal."""

    def __init__(self) -> None:
        self.asked = 0

    def moved_off(self, picture: Floats) -> Floats:
        return picture

    def columns(self, scan: object) -> None:
        return None

    def compare(self, here: Floats, there: Floats, columns: None) -> Compared:
        self.asked += 1
        return Compared(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.float32))


def test_pictures_are_not_compared_far_from_where_memory_is_sure_to_have_the_goal() -> None:
    model, pairs, points = ExactModel(), Pairs(), ((1.2, 1.5), (2.0, 1.8), (2.8, 2.3))
    model.pairs = pairs  # type: ignore[assignment]
    goal = Goal(latent=latent_of(GOAL), picture=latent_of(GOAL))
    pictured = replace(HERE, picture=HERE.latent)
    for confidence, approach, compares in [(0.9, 0.5, False), (0.9, 5.0, True), (0.1, 0.5, True)]:
        looked = GoalBelief(goal, model, approach)
        assert looked.attentive, "nothing is known yet"
        before = pairs.asked
        looked.look(pictured, RouteFollower(route_to(GOAL, *points, confidence=confidence), FollowerConfig()))
        assert (looked.attentive, pairs.asked > before) == (compares, compares)
