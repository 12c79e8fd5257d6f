"""Goals among people: what is reached, how near the robot comes to anybody, and whose contacts there were."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.building_trials import Row, explore, judged
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import allowance_of
from ami_ros.geometry import Array, compose, relative, transform_points
from ami_ros.moving.prediction import Forecast, PredictionConfig
from ami_ros.moving.things import MovingThings
from ami_ros.planning.types import Goal
from ami_ros.registration import believed_at
from ami_ros.robots.derived import simulated_robot
from ami_ros.robots.description import load_robot
from ami_ros.simulation.contacts import counts
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World
from ami_ros.world_model.checkpoint import LoadedModel, load_model

EMPTY = "empty"  # the same goals with nobody there: what times are compared with
CONSTANT, NOTHING, EXACT = "constant_velocity", "nothing_predicted", "exact_future"
# The stack as it is, the same with plans that foresee nobody, and with plans that know where those who are near will
# be if the robot stays where it is; and nobody there.
METHODS = (CONSTANT, NOTHING, EXACT, EMPTY)
NEAR = 6.0  # [m] from the robot within which the exact future is told
NOWHERE = np.zeros((0, 3)), np.zeros((0, 3))  # beliefs and truths of a robot that has not explored
KNOWN_TO = 0.05  # [m] deviation of the exact future: sway


@dataclass(frozen=True)
class PeopleSetting:
    """What is driven. `world` has its people; `memory` None: the robot explores first, for up to `explore`
    minutes and with nobody there, as the memories that ship were made."""

    world: World
    model: Path
    memory: Path | None
    goals: int = 10  # near and far by turns
    robot: str = ""  # what `load_robot` takes; empty: the one that the model drives
    explore: float = 10.0  # [min]
    loop: LoopConfig = field(default_factory=LoopConfig)
    poses: bool = False  # goals are poses on the map of a robot that explored; else pictures, if it has a camera


class PosedLoop(ClosedLoop):
    """Goals are poses on the robot's map, where pictures of an open square would tell its parts hardly apart."""

    def set_goal(self, goal: Array, allowance: float) -> None:
        """See `ClosedLoop.set_goal`; AmiError: it remembers nothing."""
        pose = believed_at(goal, *self.beliefs)
        if pose is None:
            raise AmiError("bench people: the robot remembers no place to which a goal could be a pose")
        self.start(Goal(pose=pose, in_map=True, time_allowance=allowance))


def drive_among(setting: PeopleSetting, method: str, seed: int) -> Iterator[Row]:
    """What a method does: starts, people and goals are the same for all methods as far as these do the same.

    Raises AmiError: there is no such model or robot, or no OpenGL."""
    loaded = load_model(setting.model)
    robot = load_robot(setting.robot or simulated_robot(loaded.model.spec))
    empty = replace(setting.world, people=None)
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
        memory, known, start = setting.memory, NOWHERE, None
        if memory is None:
            memory = Path(scratch, "explored.memory")
            found, known, start = _explored(setting, loaded, Simulator(empty, robot, seed=seed), seed, memory)
            yield {"kind": "explore"} | found
        simulator = Simulator(empty if method == EMPTY else setting.world, robot, seed=seed)
        try:
            simulator.reset(start, seed=seed)
            kind = PosedLoop if setting.poses and setting.memory is None else ClosedLoop
            loop = kind(loaded, simulator, memory, _config(setting, method), seed)
            loop.beliefs = known
            if start is not None and (told := believed_at(start, *known)) is not None:
                loop.memory.set_initial_pose(told)
            if method == EXACT:
                loop.planner.navigator.steering.predict = ExactFuture(simulator)
            yield from _goals(setting, loop)
        finally:
            simulator.close()


def _explored(
    setting: PeopleSetting, loaded: LoadedModel, simulator: Simulator, seed: int, file: Path
) -> tuple[Row, tuple[Array, Array], Array]:  # fmt: skip
    """Explores and keeps the memory in a file: how that went, beliefs and truths (n, 3), and where it ended (3,)."""
    try:
        simulator.reset(seed=seed)
        loop = ClosedLoop(loaded, simulator, None, setting.loop, seed)
        space = FreeSpace(simulator.world, radius=simulator.description.shape.radius)
        found, _ = explore(loop, space, 60.0 * setting.explore, lambda said: None)
        loop.memory.save(file)
        return found, loop.beliefs, simulator.ground_truth().pose
    finally:
        simulator.close()


def _goals(setting: PeopleSetting, loop: ClosedLoop) -> Iterator[Row]:
    """A row for each; in a place that the robot explored it has as much time as in a building."""
    simulator = loop.simulator
    for index in range(setting.goals):
        touched, met, start = len(simulator.touches), simulator.encounters, simulator.ground_truth().pose
        goal = loop.goals.sample(index, start)
        allowance = allowance_of(goal, explored=setting.memory is None)
        trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance)
        yield judged(trial) | _touched(simulator, touched) | {"encounters": simulator.encounters - met}


def _config(setting: PeopleSetting, method: str) -> LoopConfig:
    """Of the stack; with nothing predicted, plans take what moves for an obstacle that stands where it is seen.
    The gate and the maps know who moves all the same."""
    if method != NOTHING:
        return setting.loop
    navigator = setting.loop.agent.navigator
    costs = replace(navigator.planner.costs, people=replace(navigator.planner.costs.people, enabled=False))
    return setting.loop.navigating(replace(navigator, planner=replace(navigator.planner, costs=costs)))


class ExactFuture:
    """What predictors say, by the simulator: where those who are near will be, in odom. It knows who is hidden, too."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(self, things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
        """See `constant_velocity`."""
        simulator, there = self._simulator, self._simulator.moving_truth()
        truth, odometry = simulator.ground_truth().pose, simulator.odometry()[0]
        near = np.array([np.hypot(*(thing.position - truth[:2])) < NEAR for thing in there], bool)
        if not near.any():
            return None
        order, late = np.argsort(seconds), simulator.time - stamp
        ways = simulator.moving_future(np.maximum(seconds[order] - late, 0.0))[[thing.id for thing in there]][near]
        positions = np.empty_like(ways)
        positions[:, order] = transform_points(compose(odometry, relative(truth, np.zeros(3))), ways)
        velocities = np.array([thing.velocity for thing in there])[near]
        headings = np.arctan2(velocities[:, 1], velocities[:, 0]) + odometry[2] - truth[2]
        deviations = np.full(positions.shape[:2], KNOWN_TO)
        radii = np.array([thing.radius for thing in there])[near]
        return Forecast(seconds, positions, deviations, headings, np.hypot(*velocities.T), radii)


def _touched(simulator: Simulator, since: int) -> Row:
    """Contacts since number `since` of them, see `contacts.counts`, and how near anybody came [m], if somebody did."""
    nearest = simulator.nearest_approach()
    return counts(simulator.touches[since:]) | ({"nearest_m": round(nearest, 3)} if np.isfinite(nearest) else {})
