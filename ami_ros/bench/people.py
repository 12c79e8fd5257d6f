"""Goals among people: what is reached, whose contacts there were, and what stays in the maps of who left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.behaviour.occupancy import Drawing
from ami_ros.behaviour.routing import BlockedWay, BlockedWays
from ami_ros.bench.buildings import Row, explore, judged
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.trials import allowance_of
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose, relative, transform_points
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot
from ami_ros.core.scan import Scan, scan_points
from ami_ros.planning.types import Goal
from ami_ros.safety.moving_things import Forecast, MovingThings, PredictionConfig
from ami_ros.safety.tracker import Tracker
from ami_ros.simulation.contacts import counts
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.noise import Odometry, noise_of, scan_of
from ami_ros.simulation.people.bodies import Body, draw_body
from ami_ros.simulation.robot import laser_height, simulated
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.torch_model import LoadedModel, load_model

# Goals among people: what is reached, how near the robot comes to anybody, and whose contacts there were.

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


# Ghosts: how long what somebody left stays in each layer of what the robot believes, though it is seen to be free.

LAYERS = ("tracks", "obstacles", "occupancy", "blocked_by_sight", "blocked_by_touch")
PERIOD = 0.1  # [s] between two scans
SPOT = 0.25  # [m] around where somebody stood: a person's disc
WATCHED = 5.0  # [s] after which a ghost counts as one that stays
SHORT = 0.4  # [m] before a wall, at which somebody who leaves stops
STAND = (2.0, 15.0)  # [s] for which somebody stands
SPEED = (0.4, 1.3)  # [m/s] with which somebody leaves
DRIVES = 0.15  # [m/s] of a robot that drives on meanwhile, towards the spot


@dataclass(frozen=True)
class Case:
    """Somebody stands `ahead` [m] of a robot for `stands` [s], then leaves sideways with `speed` [m/s].

    Attributes:
        walls: of the room.
        away: how far somebody comes and goes [m].
        body: who it is.
        comes: whether the robot has seen them come; else they stood there from the beginning.
        drives: whether the robot drives meanwhile.
        side: 1: they leave to the left; -1: to the right.
    """

    walls: FloorPlan
    away: float
    body: Body
    ahead: float
    stands: float
    speed: float
    comes: bool
    drives: bool
    side: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Case:
        """One of them."""
        wide, deep = rng.uniform(2.2, 5.0, 2)  # [m] from the robot to the walls
        sides = (
            ((deep, 0.0), (0.05, wide)), ((-1.5, 0.0), (0.05, wide)), ((0.0, wide), (deep, 0.05)),
            ((0.0, -wide), (deep, 0.05)),
        )  # fmt: skip
        walls = FloorPlan([Obstacle("wall", "box", center, 0.0, half, 1.0) for center, half in sides])
        body = draw_body("somebody", "child" if rng.random() < 0.2 else "adult", rng)
        ahead = float(rng.uniform(0.9, min(2.6, deep - 0.6)))
        stands, speed = float(rng.uniform(*STAND)), float(rng.uniform(*SPEED))
        comes, drives, side = rng.random() < 0.5, rng.random() < 0.5, int(rng.choice((-1, 1)))
        return cls(
            walls, wide - SHORT, body, ahead, stands, speed, comes, drives, side
        )  # fmt: skip

    def at(self, seconds: float) -> tuple[Array, float]:
        """Pose (3,) and speed [m/s] of the body; the robot starts at the origin."""
        began = self.away / self.speed if self.comes else 0.0
        off = seconds - began if seconds < began else max(0.0, seconds - began - self.stands)
        aside = float(np.clip(off * self.speed, -self.away, self.away))
        walks = 0.0 < abs(aside) < self.away
        return np.array([self.ahead, self.side * aside, self.side * np.pi / 2]), self.speed if walks else 0.0

    @property
    def leaves(self) -> float:
        """When somebody sets out [s]."""
        return (self.away / self.speed if self.comes else 0.0) + self.stands


class _Robot:
    """Tracker, grid and blocked ways of a robot that watches; all in odom."""

    def __init__(self, case: Case, robot: RobotDescription, rng: np.random.Generator) -> None:
        self._case, self._rng = case, rng
        assert robot.laser is not None, "checked by simulated()"
        self._laser, self._height, self._noise = robot.laser, laser_height(robot), noise_of(robot)
        self._odometry = Odometry(self._noise, rng)
        self._tracker, self._drawing = Tracker(), Drawing()
        self.ways = BlockedWays()
        self.pose: Array = np.zeros(3)

    def watch(self, now: float) -> dict[str, bool]:
        """One moment; which layers hold something where somebody stood."""
        place, speed = self._case.at(now)
        phase = now * speed / self._case.body.stride(speed) % 1.0
        body = FloorPlan(self._case.body.met(place, phase, speed, self._height))
        scan = scan_of(self._case.walls, self.pose, self._laser, self._noise, self._rng, body)
        odometry = self._odometry.pose.copy()
        things = self._tracker.take(now, scan, odometry)
        self._drawing.draw(now, odometry, odometry, scan, things)
        self.ways.footprints.add(things, now, odometry, odometry)
        self.ways.look(odometry, scan)
        held = self._held(odometry, scan, things)
        if self._case.drives and self._case.ahead - self.pose[0] > 0.8:
            self.pose = compose(self.pose, np.array([DRIVES * PERIOD, 0.0, 0.0]))
            self._odometry.advance(DRIVES * PERIOD, 0.0)
        return held

    def block(self, now: float) -> None:
        """A way through the spot counts as blocked: seen so, and where the robot got stuck."""
        spot = self._spot(self._odometry.pose)
        for number, by_scan in enumerate((True, False)):
            self.ways.add(BlockedWay((2 * number, 2 * number + 1), spot, now, True, by_scan, 0.25))

    def _spot(self, odometry: Array) -> Array:
        return transform_points(
            compose(odometry, relative(self.pose, np.zeros(3))), np.array([[self._case.ahead, 0.0]])
        )[0]

    def _held(self, odometry: Array, scan: Scan, things: MovingThings) -> dict[str, bool]:
        spot, grid = self._spot(odometry), self._drawing.grid
        assert grid is not None
        around = spot + np.stack(np.meshgrid(*[np.arange(-SPOT, SPOT + 0.01, 0.05)] * 2), -1).reshape(-1, 2)
        cells = grid.cells(around[np.hypot(*(around - spot).T) <= SPOT])
        points = transform_points(odometry, scan_points(scan, 8.0))
        legs = {way.leg for way in self.ways.ways}
        return {
            "tracks": bool((np.hypot(*(things.positions - spot).T) < SPOT).any()),
            "obstacles": bool((np.hypot(*(points - spot).T) < SPOT).any()),
            "occupancy": bool((grid.odds[cells[:, 0], cells[:, 1]] > 0.5).any()),
            "blocked_by_sight": (0, 1) in legs,
            "blocked_by_touch": (2, 3) in legs,
        }


def watch(case: Case, robot_description: RobotDescription, seed: int) -> dict[str, float]:
    """How long [s] each layer held somebody after they had left the spot; inf: as long as it was watched."""
    robot = _Robot(case, robot_description, np.random.default_rng([seed, 1]))
    ticks, blocked, left = 0, False, float("inf")
    last = dict.fromkeys(LAYERS, -float("inf"))
    while (now := ticks * PERIOD) < left + WATCHED:
        held = robot.watch(now)
        if not blocked and now > case.leaves - 1.0:
            robot.block(now)
            blocked = True
        if np.isinf(left) and abs(case.at(now)[0][1]) > SPOT + case.body.radius and now > case.leaves:
            left = now
        last |= {layer: now for layer in LAYERS if held[layer]}
        ticks += 1
    lasted = {layer: max(0.0, round(last[layer] + PERIOD - left, 2)) for layer in LAYERS}
    return {layer: np.inf if seconds >= WATCHED - 2 * PERIOD else seconds for layer, seconds in lasted.items()}


def ghosts(count: int, seed: int, robot: str = "") -> Iterator[dict[str, Any]]:
    """Of `count` drawn cases and each layer: `gone_s`, the time until the spot is free; None: the ghost stays."""
    rng = np.random.default_rng([seed, 0x6057])
    description = simulated(load_robot(robot or DEFAULT))
    for number in range(count):
        for layer, seconds in watch(Case.draw(rng), description, seed + number).items():
            yield {"layer": layer.replace("_", " "), "gone_s": seconds if np.isfinite(seconds) else None}
