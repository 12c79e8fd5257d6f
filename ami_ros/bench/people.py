"""Goals among people: what is reached, how near the robot comes to anybody, whose contacts there were; and ghosts: how
long what somebody left stays in each layer of what the robot believes, though it is seen to be free."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ami_ros.behaviour.occupancy import Drawing
from ami_ros.behaviour.routing import BlockedWay, BlockedWays
from ami_ros.bench.buildings import explore, opened
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig, loop_config
from ami_ros.bench.scenario import Part, Report, Row, chosen, model_at
from ami_ros.bench.trials import allowance_of, judged
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose, relative, transform_points
from ami_ros.core.installation import share
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot
from ami_ros.core.scan import Scan, scan_points
from ami_ros.memory.files import memory_beside
from ami_ros.planning.types import Goal
from ami_ros.safety.moving_things import Forecast, MovingThings, PredictionConfig
from ami_ros.safety.tracker import Tracker
from ami_ros.simulation import world as worlds
from ami_ros.simulation.contacts import counts
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.noise import Odometry, noise_of, scan_of
from ami_ros.simulation.people.bodies import Body, draw_body
from ami_ros.simulation.robot import laser_height, simulated
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world

# The stack as it is, the same with plans that foresee nobody, and with plans that know where those who are near will
# be if the robot stays where it is; and the same goals with nobody there, with which times are compared.
METHODS = ("constant_velocity", "nothing_predicted", "exact_future", "empty")
LAYERS = ("tracks", "obstacles", "occupancy", "blocked_by_sight", "blocked_by_touch")
PERIOD = 0.1  # [s] between two scans of who watches for ghosts
SPOT = 0.25  # [m] around where somebody stood: a person's disc


@dataclass(frozen=True)
class People:
    """Goals among people who move about."""

    world: str = ""  # a world, a world file, or building:SEED; empty: home, or where recorded people walked
    people: int = 0  # who walk about; 0: three, or all who were recorded
    speed: float = 0.8  # [m/s] of theirs
    manner: str = "polite"  # polite, blind, orca or recorded:FILE
    goals: int = 10  # a seed, near and far alternately
    baselines: tuple[str, ...] = ()  # constant_velocity, nothing_predicted, exact_future, empty; none named: all
    ghosts: int = 30  # drawn cases of somebody who stands and leaves, a seed; 0: none
    explore: float = 10.0  # [min] before, where there is no memory
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: the one whose memory of this world ships, else models/general
    memory: str = ""  # file; empty: the one beside the model that ships
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        return [*map(Part, chosen(self.baselines, METHODS)), *([Part("ghosts")] if self.ghosts else [])]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Starts, people and goals are the same for all methods as far as these do the same. A robot without a memory
        explores first, with nobody there, as the memories that ship were made."""
        if part == "ghosts":
            yield from ghosts(self.ghosts, seed, self.robot)
            return
        crowd, world = self._crowd(seed)
        beside = memory_beside(share("models", "onboard"), world)
        memory = Path(self.memory) if self.memory else beside if beside.is_file() and not self.model else None
        explored = memory is None
        loaded, robot = opened(model_at(self.model, "general" if explored else "onboard"), self.robot)
        empty, config = replace(load_world(world), people=None), loop_config(self.set)
        known, start = (np.zeros((0, 3)), np.zeros((0, 3))), None  # beliefs and truths of who has not explored
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            if memory is None:
                memory, simulator = Path(scratch, "explored.memory"), Simulator(empty, robot, seed=seed)
                simulator.reset(seed=seed)
                loop = ClosedLoop(loaded, simulator, None, config, seed)
                space = FreeSpace(simulator.world, radius=robot.shape.radius)
                found, _ = explore(loop, space, 60.0 * self.explore, lambda said: None)
                loop.memory.save(memory)
                known, start = loop.beliefs, simulator.ground_truth().pose
                simulator.close()
                yield {"kind": "explore"} | found
            simulator = Simulator(empty if part == "empty" else replace(empty, people=crowd), robot, seed=seed)
            try:
                simulator.reset(start, seed=seed)
                kind = PosedLoop if crowd.recording and explored else ClosedLoop
                loop = kind(loaded, simulator, memory, _predicting(config, part), seed)
                loop.beliefs = known
                if start is not None and (told := believed_at(start, *known)) is not None:
                    loop.memory.set_initial_pose(told)
                if part == "exact_future":
                    loop.planner.navigator.steering.predict = ExactFuture(simulator)
                for number, row in enumerate(self._drives(loop, explored), 1 + explored):
                    report(f"drive {number}")
                    yield row
            finally:
                simulator.close()

    def _crowd(self, seed: int) -> tuple[worlds.People, str]:
        """Who walks about, and in which world."""
        try:
            crowd = worlds.People(count=self.people, speed=self.speed, manner=self.manner, seed=seed)
        except ValueError as error:
            raise AmiError(f"bench people: {error}") from error
        if not crowd.recording:
            return replace(crowd, count=self.people or 3), self.world or "home"
        if self.world not in ("", self.manner):
            raise AmiError(
                "bench people: recorded people would walk through the walls of other worlds; leave --world out"
            )
        return crowd, self.manner

    def _drives(self, loop: ClosedLoop, explored: bool) -> Iterator[Row]:
        """A row for each goal; in a place that the robot explored it has as much time as in a building. Contacts see
        `contacts.counts`."""
        simulator = loop.simulator
        for index in range(self.goals):
            touched, met, start = len(simulator.touches), simulator.encounters, simulator.ground_truth().pose
            goal = loop.goals.sample(index, start)
            trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, allowance_of(goal, explored))
            nearest = simulator.nearest_approach()
            near = {"nearest_m": round(nearest, 3)} if np.isfinite(nearest) else {}
            yield (
                judged(trial) | counts(simulator.touches[touched:]) | near | {"encounters": simulator.encounters - met}
            )


class PosedLoop(ClosedLoop):
    """Goals are poses on the robot's map, where pictures of an open square would tell its parts hardly apart."""

    def set_goal(self, goal: Array, allowance: float) -> None:
        """See `ClosedLoop.set_goal`; AmiError: it remembers nothing."""
        pose = believed_at(goal, *self.beliefs)
        if pose is None:
            raise AmiError("bench people: the robot remembers no place to which a goal could be a pose")
        self.start(Goal(pose=pose, in_map=True, time_allowance=allowance))


def _predicting(config: LoopConfig, method: str) -> LoopConfig:
    """Of the stack; with nothing predicted, plans take what moves for an obstacle that stands where it is seen.
    The gate and the maps know who moves all the same."""
    if method != "nothing_predicted":
        return config
    navigator = config.agent.navigator
    costs = replace(navigator.planner.costs, people=replace(navigator.planner.costs.people, enabled=False))
    return config.navigating(replace(navigator, planner=replace(navigator.planner, costs=costs)))


class ExactFuture:
    """What predictors say, by the simulator: where those within 6 m will be, in odom. It knows who is hidden, too."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(self, things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
        """See `constant_velocity`."""
        simulator, there = self._simulator, self._simulator.moving_truth()
        truth, odometry = simulator.ground_truth().pose, simulator.odometry()[0]
        near = np.array([np.hypot(*(thing.position - truth[:2])) < 6.0 for thing in there], bool)
        if not near.any():
            return None
        order, late = np.argsort(seconds), simulator.time - stamp
        ways = simulator.moving_future(np.maximum(seconds[order] - late, 0.0))[[thing.id for thing in there]][near]
        positions = np.empty_like(ways)
        positions[:, order] = transform_points(compose(odometry, relative(truth, np.zeros(3))), ways)
        velocities = np.array([thing.velocity for thing in there])[near]
        headings = np.arctan2(velocities[:, 1], velocities[:, 0]) + odometry[2] - truth[2]
        deviations = np.full(positions.shape[:2], 0.05)  # [m]: sway
        radii = np.array([thing.radius for thing in there])[near]
        return Forecast(seconds, positions, deviations, headings, np.hypot(*velocities.T), radii)


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
        stands, speed = float(rng.uniform(2.0, 15.0)), float(rng.uniform(0.4, 1.3))
        comes, drives, side = rng.random() < 0.5, rng.random() < 0.5, int(rng.choice((-1, 1)))
        return cls(walls, wide - 0.4, body, ahead, stands, speed, comes, drives, side)

    @property
    def comes_for(self) -> float:
        """[s] until somebody stands."""
        return self.away / self.speed if self.comes else 0.0

    def at(self, seconds: float) -> tuple[Array, float]:
        """Pose (3,) and speed [m/s] of the body; the robot starts at the origin."""
        began = self.comes_for
        off = seconds - began if seconds < began else max(0.0, seconds - began - self.stands)
        aside = float(np.clip(off * self.speed, -self.away, self.away))
        walks = 0.0 < abs(aside) < self.away
        return np.array([self.ahead, self.side * aside, self.side * np.pi / 2]), self.speed if walks else 0.0


class _Watcher:
    """Tracker, grid and blocked ways of a robot that watches; all in odom."""

    def __init__(self, case: Case, robot: RobotDescription, rng: np.random.Generator) -> None:
        self._case, self._rng = case, rng
        assert robot.laser is not None, "checked by simulated()"
        self._laser, self._height, self._noise = robot.laser, laser_height(robot), noise_of(robot)
        self._odometry = Odometry(self._noise, rng)
        self._tracker, self._drawing, self._ways = Tracker(), Drawing(), BlockedWays()
        self._pose: Array = np.zeros(3)

    def watch(self, now: float) -> dict[str, bool]:
        """One moment; which layers hold something where somebody stood."""
        place, speed = self._case.at(now)
        phase = now * speed / self._case.body.stride(speed) % 1.0
        body = FloorPlan(self._case.body.met(place, phase, speed, self._height))
        scan = scan_of(self._case.walls, self._pose, self._laser, self._noise, self._rng, body)
        odometry = self._odometry.pose.copy()
        things = self._tracker.take(now, scan, odometry)
        self._drawing.draw(now, odometry, odometry, scan, things)
        self._ways.footprints.add(things, now, odometry, odometry)
        self._ways.look(odometry, scan)
        held = self._held(odometry, scan, things)
        if self._case.drives and self._case.ahead - self._pose[0] > 0.8:  # towards the spot, with 0.15 m/s
            self._pose = compose(self._pose, np.array([0.15 * PERIOD, 0.0, 0.0]))
            self._odometry.advance(0.15 * PERIOD, 0.0)
        return held

    def block(self, now: float) -> None:
        """A way through the spot counts as blocked: seen so, and where the robot got stuck."""
        spot = self._spot(self._odometry.pose)
        for number, by_scan in enumerate((True, False)):
            self._ways.add(BlockedWay((2 * number, 2 * number + 1), spot, now, True, by_scan, 0.25))

    def _spot(self, odometry: Array) -> Array:
        ahead = np.array([[self._case.ahead, 0.0]])
        return transform_points(compose(odometry, relative(self._pose, np.zeros(3))), ahead)[0]

    def _held(self, odometry: Array, scan: Scan, things: MovingThings) -> dict[str, bool]:
        spot, grid = self._spot(odometry), self._drawing.grid
        assert grid is not None
        around = spot + np.stack(np.meshgrid(*[np.arange(-SPOT, SPOT + 0.01, 0.05)] * 2), -1).reshape(-1, 2)
        cells = grid.cells(around[np.hypot(*(around - spot).T) <= SPOT])
        points = transform_points(odometry, scan_points(scan, 8.0))
        legs = {way.leg for way in self._ways.ways}
        held = (
            (np.hypot(*(things.positions - spot).T) < SPOT).any(), (np.hypot(*(points - spot).T) < SPOT).any(),
            (grid.odds[cells[:, 0], cells[:, 1]] > 0.5).any(), (0, 1) in legs, (2, 3) in legs,
        )  # fmt: skip
        return dict(zip(LAYERS, map(bool, held), strict=True))


def watch(case: Case, robot: RobotDescription, seed: int) -> dict[str, float]:
    """How long [s] each layer held somebody after they had left the spot; inf: as long as it was watched."""
    watcher, watched = _Watcher(case, robot, np.random.default_rng([seed, 1])), 5.0  # [s]
    ticks, blocked, left, leaves = 0, False, float("inf"), case.comes_for + case.stands
    last = dict.fromkeys(LAYERS, -float("inf"))
    while (now := ticks * PERIOD) < left + watched:
        held = watcher.watch(now)
        if not blocked and now > leaves - 1.0:
            watcher.block(now)
            blocked = True
        if np.isinf(left) and abs(case.at(now)[0][1]) > SPOT + case.body.radius and now > leaves:
            left = now
        last |= {layer: now for layer in LAYERS if held[layer]}
        ticks += 1
    lasted = {layer: max(0.0, round(last[layer] + PERIOD - left, 2)) for layer in LAYERS}
    return {layer: np.inf if seconds >= watched - 2 * PERIOD else seconds for layer, seconds in lasted.items()}


def ghosts(count: int, seed: int, robot: str = "") -> Iterator[Row]:
    """Of `count` drawn cases and each layer: `gone_s`, the time until the spot is free; None: the ghost stays."""
    rng = np.random.default_rng([seed, 0x6057])
    description = simulated(load_robot(robot or DEFAULT))
    for number in range(count):
        for layer, seconds in watch(Case.draw(rng), description, seed + number).items():
            yield {"layer": layer.replace("_", " "), "gone_s": seconds if np.isfinite(seconds) else None}
