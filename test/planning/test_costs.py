"""Each cost alone: what it likes and what it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.config import from_mapping
from ami_ros.core.geometry import Disc
from ami_ros.planning.costs import (
    GoalConfig,
    KeepAway,
    KeepAwayConfig,
    LatentGoal,
    LocalMap,
    Obstacles,
    ObstaclesConfig,
    PoseGoal,
    Smoothness,
    SmoothnessConfig,
)
from ami_ros.planning.protocols import Futures
from ami_ros.world_model.layers import Floats
from harness.exact_model import ExactModel, latent_of

from .conftest import NOTHING, scan_of_points

SCALE = np.array([0.5, 1.5], np.float32)
NEAR = GoalConfig(weight=1.0, path=0.0, heading=0.0)
MARGIN = ObstaclesConfig(weight=1.0, margin=0.15)
STEPS = 4


def futures(poses: list[list[list[float]]]) -> Futures:
    """Futures that pass these poses (batch, steps, 3), seen by exact latents from the origin."""
    p = np.array(poses, np.float32)
    still, before = np.zeros((*p.shape[:2], 2), np.float32), np.zeros(2, np.float32)
    return Futures(still, before, latent_of(p), p, latent_of([0.0, 0.0, 0.0]))


def straight_to(*ends: tuple[float, float, float]) -> Futures:
    """Futures on straight lines from the origin, at the last step at each of `ends`."""
    return futures([[[k / STEPS * v for v in end] for k in range(1, STEPS + 1)] for end in ends])


def commanded(*commands: Command, previous: Command = (0.0, 0.0)) -> Futures:
    """Futures with one constant command each."""
    values, before = np.array(commands, np.float32)[:, None].repeat(STEPS, 1), np.array(previous, np.float32)
    return replace(straight_to(*[(0.0, 0.0, 0.0)] * len(commands)), commands=values, previous=before)


@pytest.mark.parametrize("kind", ["latent", "pose"])
def test_goals_cost_the_distance_that_is_left(model: ExactModel, kind: str) -> None:
    goal = [1.0, 0.5, 0.0]
    cost = (
        LatentGoal(model.relative_pose, latent_of(goal), NEAR)
        if kind == "latent"
        else PoseGoal(np.array(goal, np.float32), NEAR)
    )
    found = cost(straight_to((1.0, 0.5, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0), (1.0, 0.5, 3.0)))
    np.testing.assert_allclose(found, [0.0, 1.0, 1.25**0.5, 0.0], atol=2e-3)


def test_both_goals_agree_where_latents_are_exact(model: ExactModel) -> None:
    goal = [0.7, -0.4, 1.2]
    config = GoalConfig(weight=2.0, path=0.5, heading=0.3)
    by_latent = LatentGoal(model.relative_pose, latent_of(goal), config)
    by_pose = PoseGoal(np.array(goal, np.float32), config)
    some = straight_to((0.5, 0.0, 0.3), (0.7, -0.4, 1.2), (-1.0, 1.0, -3.0))
    np.testing.assert_allclose(by_latent(some), by_pose(some), atol=1e-3, rtol=1e-3)


def test_the_weights_of_a_goal_each_do_their_part() -> None:
    def goal(futures: Futures, weight: float = 1.0, heading: float = 0.0, path: float = 0.0) -> Floats:
        config = GoalConfig(weight=weight, heading=heading, path=path)
        return PoseGoal(np.array([1.0, 0.0, 0.0], np.float32), config)(futures)

    aside, turned = straight_to((0.5, 0.0, 0.0)), straight_to((1.0, 0.0, 1.0))
    np.testing.assert_allclose(goal(aside, weight=3.0), 3 * goal(aside), rtol=1e-6)
    assert goal(turned)[0] < 2e-3 < 0.2 < goal(turned, heading=0.3)[0] < 0.3
    late, early = futures([[[0.0] * 3, [0.0] * 3, [1.0, 0, 0]]]), futures([[[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]]])
    assert abs(goal(late) - goal(early))[0] < 1e-6
    assert goal(late, path=0.5) > goal(early, path=0.5) + 0.3


def test_a_path_counts_by_its_end_and_by_its_mean() -> None:
    found = PoseGoal(np.zeros(3, np.float32), replace(NEAR, path=0.5))(
        futures([[[3.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    )
    np.testing.assert_allclose(found, [2.0], rtol=1e-5)


# Obstacles


def wall(x: float) -> LocalMap:
    """A wall across the way, `x` [m] ahead."""
    return LocalMap(scan_of_points(np.column_stack([np.full(61, x), np.linspace(-1.5, 1.5, 61)])))


def obstacles(x: float) -> Obstacles:
    return Obstacles(wall(x), Disc(0.2), MARGIN)


def test_what_keeps_its_distance_costs_nothing() -> None:
    assert obstacles(1.5)(straight_to((1.0, 0.0, 0.0)))[0] == 0.0
    assert Obstacles(LocalMap(NOTHING), Disc(0.2), MARGIN)(straight_to((2.0, 0.0, 0.0)))[0] == 0.0


def test_the_nearer_to_a_wall_the_worse_and_touching_it_is_worst() -> None:
    costs = obstacles(1.5)(straight_to((1.0, 0.0, 0.0), (1.22, 0.0, 0.0), (1.25, 0.0, 0.0), (1.4, 0.0, 0.0)))
    assert 0 == costs[0] < costs[1] < costs[2] < 1.0 < 2.0 < costs[3]


def test_jumping_over_a_wall_between_two_steps_is_seen() -> None:
    """At each step the robot is clear of the wall, but not halfway between."""
    beyond = futures([[[0.5, 0.0, 0.0], [1.5, 0.0, 0.0]]])
    assert obstacles(1.0)(beyond)[0] > 1.0


def test_a_robot_that_is_longer_behind_may_come_nearer_with_its_front_but_not_turn_there() -> None:
    long_behind = Obstacles(wall(1.5), Disc(0.2, -0.1), MARGIN)
    front, rear = straight_to((1.2, 0.0, 0.0)), straight_to((1.2, 0.0, np.pi))
    assert long_behind(front)[0] == 0.0 < obstacles(1.5)(front)[0] < long_behind(rear)[0]


def test_a_robot_that_stands_too_close_is_drawn_away() -> None:
    """As after a collision: everything is too close, but leaving is better than staying, and staying than pushing."""
    pushing, staying, leaving = obstacles(0.19)(straight_to((0.15, 0.0, 0.0), (0.0, 0.0, 0.0), (-0.3, 0.0, 0.0)))
    assert leaving < staying < pushing


# Smoothness


def test_standing_still_is_free_and_everything_else_is_not() -> None:
    cost = Smoothness(SCALE, SmoothnessConfig(change=0.1, reverse=0.1, effort=0.1))
    still, forward, turning, back = cost(commanded((0.0, 0.0), (0.3, 0.0), (0.0, 0.9), (-0.3, 0.0)))
    assert still == 0 and forward > 0 and turning > 0 and back > forward


@pytest.mark.parametrize(
    ("only", "cheap", "dear"),
    [
        ("change", (0.4, 0.0), (0.1, 0.0)),  # goes on as before
        ("reverse", (0.4, 1.0), (-0.1, 0.0)),
        ("effort", (0.1, 0.0), (0.4, 1.0)),
    ],
)
def test_each_weight_of_smoothness_alone(only: str, cheap: tuple[float, float], dear: tuple[float, float]) -> None:
    cost = Smoothness(SCALE, from_mapping(SmoothnessConfig, {"change": 0.0, "reverse": 0.0, "effort": 0.0, only: 1.0}))
    found = cost(commanded(cheap, dear, previous=(0.4, 0.0)))
    assert found[0] < found[1]
    assert (Smoothness(SCALE, SmoothnessConfig(weight=0.0))(commanded(cheap, dear)) == 0).all()


# Places to keep away from


def test_a_place_to_keep_away_from_costs_the_more_the_deeper_the_path_goes_into_it() -> None:
    cost = KeepAway(np.array([[1.0, 0.0, 0.3]], np.float32), KeepAwayConfig(weight=1.0, margin=0.2))
    clear, close, edge, within = cost(straight_to((0.4, 0.0, 0.0), (0.55, 0.0, 0.0), (0.65, 0.0, 0.0), (1.0, 0.0, 0.0)))
    assert clear == 0 < close < edge < 1.0 < 4.0 < within


def test_passing_through_a_small_place_between_two_steps_is_seen() -> None:
    cost = KeepAway(np.array([[0.75, 0.0, 0.1]], np.float32), KeepAwayConfig(weight=1.0, margin=0.05))
    assert cost(futures([[[0.5, 0.0, 0.0], [1.0, 0.0, 0.0]]]))[0] > 1.0


def test_of_several_places_each_counts() -> None:
    cost = KeepAway(np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]], np.float32), KeepAwayConfig(weight=1.0, margin=0.1))
    first, second, neither = cost(straight_to((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)))
    assert first > 1.0 and second > 1.0 and neither == 0


def test_a_robot_inside_such_a_place_is_drawn_out() -> None:
    cost = KeepAway(np.array([[0.1, 0.0, 0.4]], np.float32), KeepAwayConfig(weight=1.0, margin=0.2))
    deeper, staying, leaving = cost(straight_to((0.1, 0.0, 0.0), (0.0, 0.0, 0.0), (-0.8, 0.0, 0.0)))
    assert leaving < staying < deeper


def test_smoothness_dislikes_changes_of_the_sideways_part() -> None:
    cost = Smoothness(np.array([0.4, 1.4, 0.3], np.float32), SmoothnessConfig())
    steady = commanded((0.0, 0.0, 0.3), previous=(0.0, 0.0, 0.3))
    fresh = commanded((0.0, 0.0, 0.3), previous=(0.0, 0.0, 0.0))
    still = commanded((0.0, 0.0, 0.0), previous=(0.0, 0.0, 0.0))
    assert cost(fresh)[0] > cost(steady)[0] > cost(still)[0] == 0.0
