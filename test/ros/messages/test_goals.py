"""Requests to the planner as goals, and what clients are told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import Pose, PoseStamped
from std_msgs.msg import Header

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import GoalView, NavigationGoal
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png, image_of
from ami_ros.planning.costs import CostShare
from ami_ros.planning.types import Code, Decision, State
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames, goal_from_message, rollout_message, seconds_left
from ami_ros.ros.planner_topics import costs_message
from ami_ros.world_model.spec import ModelSpec

SPEC = ModelSpec(latent_dim=2)
PICTURE = conversions.compressed_message(encode_png(np.zeros((4, 4, 3), np.uint8)), "png")
KINDS = {
    "picture": NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=PICTURE),
    "latent": NavigationGoal(
        type=NavigationGoal.TYPE_LATENT, latent=conversions.latent_to_message([1.0, 2.0], Header(), "net@1")
    ),
    "pose": NavigationGoal(
        type=NavigationGoal.TYPE_POSE, pose=PoseStamped(header=Header(frame_id="odom"), pose=Pose())
    ),
    "place": NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label="desk"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tolerances_hold_for_every_kind_of_goal(kind: str) -> None:
    request = NavigateToGoal.Goal(goal=KINDS[kind], distance_tolerance=0.4, angle_tolerance=0.5)
    goal, photographs = goal_from_message(request, "net@1", SPEC, Frames(), image_of)
    assert (goal.distance_tolerance, goal.angle_tolerance) == pytest.approx((0.4, 0.5))
    assert len(photographs) == (kind == "picture")


def test_a_goal_has_further_pictures_and_each_says_how_far_the_robot_had_turned() -> None:
    bright = conversions.compressed_message(encode_png(np.full((4, 4, 3), 200, np.uint8)), "png")
    goal = NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=PICTURE, views=[GoalView(turn=1.5, image=bright)])
    _, photographs = goal_from_message(NavigateToGoal.Goal(goal=goal), "net@1", SPEC, Frames(), image_of)
    assert [(taken.turn, int(taken.image.max())) for taken in photographs] == [(0.0, 0), (1.5, 200)]


def test_a_goal_of_latents_has_further_ones() -> None:
    first, second = (conversions.latent_to_message([1.0, y], Header(), "net@1") for y in (2.0, 5.0))
    goal = NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=first, views=[GoalView(turn=-1.0, latent=second)])
    found, photographs = goal_from_message(NavigateToGoal.Goal(goal=goal), "net@1", SPEC, Frames(), image_of)
    assert not photographs
    assert [(view.turn, view.latent.tolist()) for view in found.views] == [(0.0, [1.0, 2.0]), (-1.0, [1.0, 5.0])]


@pytest.mark.parametrize("kind", ["picture", "latent"])
def test_more_pictures_than_are_compared_are_refused(kind: str) -> None:
    one = GoalView(image=PICTURE, latent=KINDS["latent"].latent)
    goal = NavigationGoal(type=KINDS[kind].type, image=PICTURE, latent=KINDS["latent"].latent, views=[one] * 12)
    with pytest.raises(AmiError, match="at most 11") as caught:
        goal_from_message(NavigateToGoal.Goal(goal=goal), "net@1", SPEC, Frames(), image_of)
    assert caught.value.code == Code.INVALID_GOAL


@pytest.mark.parametrize(
    "view",
    [
        GoalView(turn=math.nan, image=PICTURE, latent=KINDS["latent"].latent),
        GoalView(turn=1.0, image=conversions.compressed_message(b"no picture", "png")),
    ],
    ids=["no turn", "no picture"],
)
@pytest.mark.parametrize("kind", ["picture", "latent"])
def test_a_further_picture_that_makes_no_sense_is_refused(view: GoalView, kind: str) -> None:
    goal = NavigationGoal(type=KINDS[kind].type, image=PICTURE, latent=KINDS["latent"].latent, views=[view])
    with pytest.raises(AmiError) as caught:
        goal_from_message(NavigateToGoal.Goal(goal=goal), "net@1", SPEC, Frames(), image_of)
    assert caught.value.code in (Code.INVALID_GOAL, Code.ENCODER_MISMATCH)


@pytest.mark.parametrize("name", ["distance_tolerance", "angle_tolerance", "max_linear_speed", "max_angular_speed"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_limit_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    request = NavigateToGoal.Goal(goal=KINDS["place"])
    setattr(request, name, value)
    with pytest.raises(AmiError) as caught:
        goal_from_message(request, "net@1", SPEC, Frames(), image_of)
    assert caught.value.code == Code.INVALID_GOAL


def test_a_latent_of_another_length_is_refused_before_a_model_sees_it() -> None:
    wrong = conversions.latent_to_message([1.0, 2.0, 3.0], Header(), "net@1")
    request = NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=wrong))
    with pytest.raises(AmiError, match="3 numbers") as caught:
        goal_from_message(request, "net@1", SPEC, Frames(), image_of)
    assert caught.value.code == Code.INVALID_GOAL


def test_the_time_left_follows_from_the_speed_so_far_once_there_was_one() -> None:
    assert seconds_left(10.0, 5.0, 3.0) == pytest.approx(15.0)
    assert seconds_left(10.0, 5.0, 4.95) == seconds_left(10.0, 3.0, 5.0) == seconds_left(1.0, math.nan, 2.0) == -1.0


def test_a_rollout_says_what_the_plan_costs_and_how_long_it_took_to_find() -> None:
    shares = (CostShare("latent_goal", 1.5, 0.2), CostShare("obstacles", 0.25, 0.0))
    commands, poses = np.tile([0.2, 0.0], (6, 1)), np.zeros((2, 3))
    decision = Decision(State.CONTROLLING, "", commands, poses, planning_seconds=0.05, shares=shares)
    rollout = rollout_message(decision, conversions.header_at(3.0, "odom"), "net@1", 3, 0.6)
    assert rollout.cost == pytest.approx(1.75) and rollout.computing_time.nanosec == 50_000_000
    assert len(rollout.poses) == len(rollout.commands) == 2 and rollout.commands[0].linear.x == pytest.approx(0.2)


def test_each_cost_is_told_with_its_value_and_pull_and_one_decided() -> None:
    shares = (CostShare("goal", 1.25, 0.0), CostShare("obstacles", 0.5, 0.75))
    message = costs_message(shares, Header(frame_id="odom"))
    assert message.header.frame_id == "odom"
    assert [(s.name, s.message) for s in message.status] == [("goal", ""), ("obstacles", "decided")]
    values = {v.key: float(v.value) for v in message.status[1].values}
    assert values == {"value": 0.5, "pull": 0.75}
