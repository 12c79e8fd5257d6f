"""Missions as messages: what a mission keeps of a goal is what the planner gets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_interfaces.action import RunMission
from ami_interfaces.msg import GoalView, NavigationGoal
from ami_ros.behaviour.mission import Mission
from ami_ros.behaviour.task import Leg
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.messages.missions import goal_message, task_from_message

AHEAD, ASIDE = (conversions.compressed_message(encode_png(np.full((4, 4, 3), k, np.uint8)), "png") for k in (9, 200))


def mission(view: GoalView) -> Mission:
    goal = NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=AHEAD, views=[view])
    request = RunMission.Goal(kind=RunMission.Goal.VISIT_IN_ORDER, goals=[goal])
    task = task_from_message(request, Frames(), ExplorationConfig())
    assert isinstance(task, Mission)
    return task


def test_all_pictures_of_a_goal_reach_the_planner() -> None:
    destination = mission(GoalView(turn=-1.25, image=ASIDE)).plan.goals[0]
    sent = goal_message(Leg(1, destination, 30.0, ""), Frames()).goal
    assert bytes(sent.image.data) == bytes(AHEAD.data)
    assert [(view.turn, bytes(view.image.data)) for view in sent.views] == [(-1.25, bytes(ASIDE.data))]


@pytest.mark.parametrize("view", [GoalView(turn=math.inf, image=ASIDE), GoalView(turn=1.0)], ids=["turn", "picture"])
def test_a_further_picture_that_makes_no_sense_is_refused_with_the_goals_number(view: GoalView) -> None:
    with pytest.raises((AmiError, ValueError), match="goal 1"):
        mission(view)
