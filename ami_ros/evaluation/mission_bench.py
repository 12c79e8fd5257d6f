"""Missions in the closed loop: how many legs are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.task_drive import TaskDrive
from ami_ros.evaluation.trials import REACHED_DISTANCE, REACHED_HEADING, goal_errors
from ami_ros.geometry import Array, compose
from ami_ros.mission.mission import Mission, MissionPlan
from ami_ros.mission.task import Destination
from ami_ros.registration import register
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

STREAM = 0x3155107  # keeps the random numbers apart from those of recorded runs, whatever the seed
APART = 1.0  # [m] between the places of a mission
LEG_SECONDS = 90.0  # for each try, as for far goals
LEGS = 8


def drive_mission(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int) -> dict[str, Any]:
    """Visits places drawn from a memory, in the order that the mission chooses.

    A leg counts if the mission says that its place was reached and the robot then truly stood there, within what any
    trial of ours allows. Where a place truly is, is told by where the memory's frame lies in the world.
    """
    rng = np.random.default_rng([seed, STREAM])
    robot = Simulator(world, simulated_robot(loaded.model.spec), seed=int(rng.integers(2**31)))
    robot.reset(FreeSpace(robot.world).sample_pose(rng))
    loop = ClosedLoop(loaded, robot, memory, config, seed)
    goals = tuple(Destination("place", place_id=k, wait=1.0) for k in _draw(loop, LEGS, rng))
    mission = Mission(MissionPlan(goals, ordered=False, leg_allowance=LEG_SECONDS))
    drive = TaskDrive(loop, mission)
    for _ in drive.run(LEGS * 2 * (LEG_SECONDS + 10.0)):
        pass
    frame = register(np.array(drive.believed).reshape(-1, 3), np.array(drive.true).reshape(-1, 3))
    reached = [leg for leg in drive.legs if leg.succeeded]
    return {
        "tried": LEGS,
        "reached": sum(_stood_there(loop, leg.leg.destination.place_id, leg.final, frame) for leg in reached),
        "said_reached": sum(record.reached for record in mission.progress.records),
        "tries": len(drive.legs),
        "time_s": drive.elapsed,
        "driven_m": drive.distance,
        "collisions": robot.ground_truth().contacts,
    }


def _draw(loop: ClosedLoop, count: int, rng: np.random.Generator) -> list[int]:
    """Ids of places that are apart."""
    index, chosen = loop.memory.map.index, list[int]()
    for row in rng.permutation(len(index)):
        if all(np.hypot(*(index.poses[row, :2] - index.poses[k, :2])) > APART for k in chosen):
            chosen.append(int(row))
        if len(chosen) == count:
            return [int(index.ids[k]) for k in chosen]
    raise AmiError(f"the memory has only {len(chosen)} places that are {APART:.0f} m apart; ask for fewer legs")


def _stood_there(loop: ClosedLoop, place_id: int, pose: Array, frame: Array | None) -> bool:
    if frame is None:
        return False
    place = loop.memory.map.place(place_id)
    distance, turn = goal_errors(pose, compose(frame, place.pose))
    return distance <= REACHED_DISTANCE and turn <= REACHED_HEADING
