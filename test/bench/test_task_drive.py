"""Tasks in the closed loop, on the kinematic robot and with a model that is right."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from ami_ros.behaviour.area import Area, area_of
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.navigator import NavigatorConfig
from ami_ros.behaviour.task import Code, Destination, Phase
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.known_world import TaskDrive
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.runtime.graph import AgentConfig
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel

START = np.array([1.0, 1.2, 0.3])
EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)


@pytest.fixture
def loop() -> ClosedLoop:
    """A robot in the empty room, with an empty memory."""
    robot = Loopback("empty", image_size=IMAGE_SIZE)
    robot.reset(START)
    agent = AgentConfig(
        navigator=NavigatorConfig(planner=PlannerConfig(deadline=60.0)),
        memory=MemoryConfig(filter=FilterConfig(particles=300)),
    )
    return ClosedLoop(EXACT, cast(Simulator, robot), None, LoopConfig(agent=agent), 0)


def test_mission_visits_its_goals_and_the_records_say_where_the_robot_truly_stood(loop: ClosedLoop) -> None:
    origin = loop.simulator.observe().odometry
    ahead = compose(origin, np.array([0.6, 0.0, 0.0]))
    back = Destination("pose", pose=(float(origin[0]), float(origin[1]), float(origin[2])))
    goals = (Destination("pose", pose=(float(ahead[0]), float(ahead[1]), float(ahead[2])), wait=0.5), back)
    drive = TaskDrive(loop, Mission(MissionPlan(goals, leg_allowance=60.0)))
    for _ in drive.run(120.0):
        pass
    assert drive.task.code is Code.NONE, drive.task.message
    assert [leg.succeeded for leg in drive.legs] == [True, True]
    assert drive.legs[1].began - drive.legs[0].ended >= 0.5
    np.testing.assert_allclose(drive.legs[1].final[:2], START[:2], atol=0.25)
    assert drive.distance > 0.8 and len(drive.believed) == len(drive.true) > 0


def test_exploring_comes_to_know_the_room_and_ends_where_it_began(loop: ClosedLoop) -> None:
    drive = TaskDrive(loop, Exploration(ExplorationConfig(), allowance=40.0))
    for _ in drive.run(200.0):
        pass
    assert drive.task.code is Code.NONE, drive.task.message
    final = loop.simulator.ground_truth()
    assert np.hypot(*(final.pose[:2] - START[:2])) < 0.3 and final.contacts == 0
    assert set(drive.truths) == set(loop.memory.map.index.ids.tolist())
    assert FreeSpace(loop.simulator.world).share_within(np.array(list(drive.truths.values())), 0.75) > 0.7


def test_exploring_drives_to_its_area_and_stays_in_it(loop: ClosedLoop) -> None:
    area = Area(area_of("0.6,-0.3,2.6,1.2"))  # the robot begins beside it
    drive = TaskDrive(loop, Exploration(ExplorationConfig(), area=area))
    for _ in drive.run(200.0):
        if drive.task.phase is Phase.RETURNING or drive.elapsed > 9.0:
            break
    at = np.array(drive.believed)[:, :2]
    inside = area.contains(at)
    assert not inside[0] and inside.any() and inside[inside.argmax() :].all()


def test_a_task_that_does_not_end_is_an_error(loop: ClosedLoop) -> None:
    goal = Destination("pose", pose=(0.0, 0.0, 0.0), wait=1000.0)
    with pytest.raises(AmiError, match="not over after 1 s"):
        for _ in TaskDrive(loop, Mission(MissionPlan((goal,)))).run(1.0):
            pass
