"""Goals behind closed doors: with another way, and without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.goals import CLEARANCE
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import Door, World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.checkpoint import LoadedModel

DETOUR = 1.0  # [m] by which the other way is longer, at least
KEEP_OFF = (
    1.0  # [m] between goals and closed doors, and 0.1 less for starts: a picture of the door would be another goal
)
ALLOWANCE = 120.0  # simulated [s] for a goal with another way
GIVE_UP = 60.0  # simulated [s] within which a goal without any must end
ATTEMPTS = 3000


@dataclass(frozen=True)
class Task:
    """Where to start, where to go (3,), what is closed, and the way that is left [m]; inf: none."""

    start: Array
    goal: Array
    closed: tuple[str, ...]
    way: float


class _ClosedSpaces(dict[tuple[str, ...], FreeSpace]):
    """Free space by the doors that are closed, made when first asked for."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __missing__(self, closed: tuple[str, ...]) -> FreeSpace:
        self[closed] = FreeSpace(self._world, {door.name: door.name not in closed for door in self._world.doors})
        return self[closed]


@dataclass(frozen=True)
class DoorTrial:
    """How a task went."""

    task: Task
    trial: Trial

    @property
    def success(self) -> bool:
        """Reached if there was another way; else given up in time, with a code, and without touching anything."""
        if np.isfinite(self.task.way):
            return self.trial.success
        ended = self.trial.status == "aborted" and self.trial.error_code != 0 and self.trial.time_s <= GIVE_UP
        return ended and not self.trial.collisions


def sample_task(world: World, rng: np.random.Generator, with_way: bool) -> Task:
    """Doors are closed on the shortest way: one, or (without a way) all of the goal's room.

    Raises:
        AmiError: the world offers no such task.
    """
    names = [door.name for door in world.doors]
    space, shut = FreeSpace(world), _ClosedSpaces(world)
    for _ in range(ATTEMPTS):
        start, goal = (space.sample_pose(rng, None, CLEARANCE) for _ in range(2))
        room = space.room_of(goal)
        if space.room_of(start) == room:
            continue
        closed = [names[rng.integers(len(names))]] if with_way and names else doors_of(world, room)
        middles = [middle(door) for door in world.doors if door.name in closed]
        if not all(_apart(start, m, KEEP_OFF - 0.1) and _apart(goal, m, KEEP_OFF) for m in middles):
            continue
        way = shut[tuple(closed)].path_length(start, goal)
        direct = space.path_length(start, goal)
        if np.isfinite(direct) and (direct + DETOUR < way < np.inf if with_way else way == np.inf):
            return Task(start, goal, tuple(closed), way)
    raise AmiError(
        f"world '{world.name}' offers no goal behind a closed door with{'' if with_way else 'out'} another way"
    )


def doors_of(world: World, room: str | None) -> list[str]:
    """Names of the doors at the edge of a room."""
    areas = [r.area for r in world.rooms if r.name == room]
    return [door.name for door in world.doors for area in areas if _at_edge(middle(door), area)]


def middle(door: Door) -> Array:
    """(2,) [m]"""
    return (np.array(door.start) + np.array(door.end)) / 2


def drive_tasks(
    loaded: LoadedModel, world: str, memory_file: Path, config: LoopConfig, seed: int, count: int, with_way: bool
) -> Iterator[DoorTrial]:
    """Drives `count` tasks, each begun anew: odometry and memory know nothing of the task before."""
    for index in range(count):
        rng = np.random.default_rng([seed, index, with_way])
        task = sample_task(load_world(world), rng, with_way)
        robot = simulated_robot(loaded.model.spec)
        simulator = Simulator(world, robot, seed=int(rng.integers(2**31)))
        try:
            simulator.reset(task.start)
            for name in task.closed:
                simulator.set_door(name, False)
            loop = ClosedLoop(loaded, simulator, memory_file, config, seed + index)
            start = simulator.ground_truth().pose
            yield DoorTrial(task, loop.drive("far", start, task.goal, min(task.way, 99.0), ALLOWANCE))
        finally:
            simulator.close()


def _apart(pose: Array, point: Array, distance: float) -> bool:
    return bool(np.hypot(*(pose[:2] - point)) > distance)


def _at_edge(point: Array, area: tuple[float, float, float, float]) -> bool:
    x0, y0, x1, y1 = area
    return bool(x0 - 0.2 <= point[0] <= x1 + 0.2 and y0 - 0.2 <= point[1] <= y1 + 0.2)
