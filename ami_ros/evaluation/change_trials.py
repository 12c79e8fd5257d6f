"""Explored on one day, driven on others: furniture changed, or light that the robot has never seen there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.building_trials import Row, explore, judged
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import allowance_of
from ami_ros.geometry import Array
from ami_ros.registration import believed_at
from ami_ros.robots.derived import simulated_robot
from ami_ros.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.lighting import LIGHTS
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.visit import visited
from ami_ros.simulation.world_file import load_world
from ami_ros.slam.place_memory import PlaceMemory
from ami_ros.world_model.checkpoint import LoadedModel, load_model

SAME = "same"  # as it was explored: what the other days are compared with
FURNITURE = "furniture"  # a share of it moved, added, taken away
DAYS = (SAME, FURNITURE, *LIGHTS)


@dataclass(frozen=True)
class ChangeSetting:
    """What is done in each world."""

    model: Path
    goals: int = 8  # on each day, near and far by turns
    changed: float = 1 / 3  # share of the furniture
    explore: float = 10.0  # [min]
    seed: int = 0
    robot: str = ""  # what `load_robot` takes; empty: the one that the model drives
    days: tuple[str, ...] = DAYS
    loop: LoopConfig = field(default_factory=LoopConfig)


def world_on(world: str, day: str, setting: ChangeSetting) -> str:
    """The name of a world on one of DAYS."""
    if day == SAME:
        return world
    number = 1 + setting.seed
    if day == FURNITURE:
        return visited(world, changed=setting.changed, day=number)
    return visited(world, light=day, day=number)


def drive_world(world: str, setting: ChangeSetting, report: Callable[[str], None]) -> Iterator[Row]:
    """What the robot does in one world: how it explored, then its goals day by day, each with the memory of the first.

    A day whose light cannot be there, as the sun without windows, is left out. Raises AmiError: there is no such world,
    robot or model, or no OpenGL.
    """
    loaded = load_model(setting.model)
    robot = load_robot(setting.robot or simulated_robot(loaded.model.spec))
    simulator = Simulator(world, robot, seed=setting.seed)
    space = FreeSpace(simulator.world, radius=robot.shape.radius)
    simulator.reset(space.sample_pose(np.random.default_rng([setting.seed, 0xC4A]), None, 0.1), setting.seed)
    loop = ClosedLoop(loaded, simulator, None, setting.loop, setting.seed)
    found, _ = explore(loop, space, 60.0 * setting.explore, report)
    yield {"day": SAME, "kind": "explore"} | found
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
        file = Path(scratch, "first_day.memory")
        loop.memory.save(file)
        beliefs = loop.beliefs
        simulator.close()
        for day in setting.days:
            try:
                other = load_world(world_on(world, day, setting))
            except AmiError as error:
                report(f"{day} is left out: {error}")
                continue
            simulator = Simulator(other, robot, seed=setting.seed)
            try:
                for row in _drive_day(loaded, simulator, file, beliefs, setting, partial(_say, report, day)):
                    yield {"day": day} | row
            finally:
                simulator.close()


def _drive_day(
    loaded: LoadedModel, simulator: Simulator, file: Path, beliefs: tuple[Array, Array], setting: ChangeSetting,
    report: Callable[[str], None],
) -> Iterator[Row]:  # fmt: skip
    """Goals of one day; the robot is told where in its map it is switched on, as where it always stands at night."""
    memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, file, setting.loop.agent.memory)
    loop = ClosedLoop(loaded, simulator, memory, setting.loop, setting.seed)
    loop.beliefs = beliefs
    told = believed_at(simulator.ground_truth().pose, *beliefs)
    if told is not None:
        loop.memory.set_initial_pose(told)
    for index in range(setting.goals):
        report(f"goal {index + 1} of {setting.goals}")
        start = simulator.ground_truth().pose
        goal = loop.goals.sample(index, start)
        allowance = allowance_of(goal, explored=True)
        yield judged(loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance))


def _say(report: Callable[[str], None], day: str, said: str) -> None:
    report(f"{day}, {said}")
