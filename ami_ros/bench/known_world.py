"""Drives in a world that memory knows: goals, closed doors, missions, and far goals on the way to which something goes
wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.recovery import RecoveryState
from ami_ros.behaviour.task import Destination, Leg, Phase
from ami_ros.behaviour.task import Task as task_drive_Task
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.trials import CLEARANCE, REACHED_DISTANCE, REACHED_HEADING, Trial, goal_errors
from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, register
from ami_ros.planning.types import Percept
from ami_ros.runtime.mission import LegOutcome
from ami_ros.runtime.planner import Thought
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import Door, World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.torch_model import LoadedModel

# A task in the closed loop, with the truth beside: where each leg ended, and what the robot came to know.


@dataclass(frozen=True)
class LegRecord:
    """One leg that ended; one that another took the place of leaves none."""

    leg: Leg
    succeeded: bool
    code: int
    message: str
    began: float  # simulated [s]
    ended: float
    final: Array  # (3,) true pose in the world's frame


@dataclass
class TaskDrive:
    """Runs one task with one robot.

    Attributes:
        loop: the robot and its stack.
        task: sends it about.
        legs: those that ended.
        truths: the true pose (3,) at which each place was founded meanwhile, by id.
        believed: poses (3,) in the map frame at the moments at which memory was sure, with ...
        true: ... the true ones.
        distance: that was driven [m].
        elapsed: simulated [s].
    """

    loop: ClosedLoop
    task: task_drive_Task
    legs: list[LegRecord] = field(default_factory=list)
    truths: dict[int, Array] = field(default_factory=dict)
    believed: list[Array] = field(default_factory=list)
    true: list[Array] = field(default_factory=list)
    distance: float = 0.0
    elapsed: float = 0.0
    _began: float = 0.0  # when the leg under way was given

    def run(self, patience: float) -> Iterator[None]:
        """Drives until the task is done, stopping at each thought; raises AmiError after `patience` [s]."""
        loop = self.loop
        began, last = loop.simulator.time, loop.simulator.ground_truth().pose
        loop.legs.begun, loop.legs.over = self._set_out, self._over
        loop.mission.runner.begin(self.task)
        try:
            while self.task.phase is not Phase.DONE:
                known = len(loop.memory)
                thought, here = loop.tick(), loop.simulator.ground_truth().pose
                self.truths |= {int(i): last for i in loop.memory.map.index.ids[known:]}
                self.distance += float(np.hypot(*(here[:2] - last[:2])))
                last = here
                self.elapsed = loop.simulator.time - began
                if self.elapsed > patience:
                    raise AmiError(f"the task was not over after {patience:.0f} s: {self.task.message}")
                if thought is not None:
                    self._note(thought.percept)
                    yield
        finally:
            loop.mission.runner.task = None

    def _set_out(self, leg: Leg) -> None:
        self._began = self.loop.simulator.time

    def _over(self, leg: Leg, outcome: LegOutcome) -> None:
        here, now = self.loop.simulator.ground_truth().pose, self.loop.simulator.time
        self.legs.append(LegRecord(leg, outcome.succeeded, outcome.code, outcome.message, self._began, now, here))

    def _note(self, percept: Percept) -> None:
        """Where the robot believes to be, beside the truth."""
        if percept.location is not None and percept.location.localised:
            self.believed.append(percept.location.pose)
            self.true.append(self.loop.truth_at(percept.location.stamp))


# Missions in the closed loop: how many legs are reached.

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


# Goals behind closed doors: with another way, and without one.

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


# Far goals with and without something going wrong on the way: what is reached, and what the robot made of it.

SET_BACK = 0.2  # [s] between two times that slipping wheels have brought the robot nowhere

Kind = Literal["nothing", "carried_away", "camera_covered", "wheels_slip"]


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong, and when.

    Attributes:
        kind: what.
        begin: simulated [s] after the goal was given.
        seconds: for how long; being carried away takes no time.
        pose: (3,) in the world's frame, where the robot is put that is carried away.
    """

    kind: Kind
    begin: float = 5.0
    seconds: float = 4.0
    pose: Array | None = field(default=None, compare=False)


class DisturbedLoop(ClosedLoop):
    """A closed loop that is disturbed during one drive; `passed` tells what the robot made of it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.disturb(Disturbance("nothing"))

    def disturb(self, disturbance: Disturbance) -> None:
        """What will go wrong, counted from now."""
        self.disturbance = disturbance
        self.began = self.simulator.time
        self.passed: list[tuple[float, RecoveryState, str]] = []  # [s] since, the state, and its reason
        self._stuck_at: Array | None = None

    @property
    def states(self) -> list[RecoveryState]:
        """The states that were passed, in their order."""
        return [state for _, state, _ in self.passed]

    def tick(self) -> Thought | None:
        """Notes the state, too."""
        thought = super().tick()
        if thought is not None and thought.decision is not None:
            machine = self.planner.navigator.recovery
            if not self.passed or self.passed[-1][1] is not machine.now:
                self.passed.append((thought.percept.stamp - self.began, machine.now, machine.reason))
        return thought

    def observe(self) -> Observation:
        """A covered camera sees nothing but black."""
        seen = super().observe()
        if self._under_way("camera_covered") and seen.image is not None:
            return replace(seen, image=np.zeros_like(seen.image))
        return seen

    def move(self, command: Command) -> None:
        """Carries the robot away; where its wheels slip, it is set back again and again though odometry goes on."""
        what, now = self.disturbance, self.simulator.time
        if what.kind == "carried_away" and self._under_way("carried_away") and what.pose is not None:
            self.simulator.place(what.pose)
            self.disturbance = replace(what, kind="nothing")
        if not self._under_way("wheels_slip"):
            self._stuck_at = None
        elif self._stuck_at is None:
            self._stuck_at, self._set_back = self.simulator.ground_truth().pose, now
        elif now - self._set_back > SET_BACK - 1e-6:
            self.simulator.place(self._stuck_at)
            self._set_back = now
        super().move(command)

    def _under_way(self, kind: Kind) -> bool:
        since = self.simulator.time - self.began - self.disturbance.begin
        return self.disturbance.kind == kind and 0.0 <= since < self.disturbance.seconds


KINDS: tuple[Kind, ...] = ("nothing", "carried_away", "camera_covered", "wheels_slip")
BEGINS = (3.0, 7.0)  # simulated [s] after the goal was given, between which something goes wrong
SECONDS = 5.0  # for which it lasts


@dataclass(frozen=True)
class RecoveryTrial:
    """One drive.

    Attributes:
        kind: what went wrong.
        trial: how it ended.
        passed: the states in their order, each with when it began [s] and its reason.
    """

    kind: Kind
    trial: Trial
    passed: tuple[tuple[float, RecoveryState, str], ...]

    @property
    def reached(self) -> bool:
        """Whether the robot stands at its goal and says so."""
        trial = self.trial
        near = trial.final_distance_m <= REACHED_DISTANCE and trial.heading_error_rad <= REACHED_HEADING
        return trial.status == "succeeded" and trial.still and near

    @property
    def noticed(self) -> bool:
        """Whether the robot did anything but drive on after it began."""
        return any(state is not RecoveryState.CALM for at, state, _ in self.passed if at >= BEGINS[0])


def drive_disturbed(
    loaded: LoadedModel, world: str, memory_file: Path, config: LoopConfig, seed: int, count: int, kind: Kind
) -> Iterator[RecoveryTrial]:
    """Drives to `count` far goals, one after the other; what goes wrong and the goals depend on the seed alone."""
    simulator = Simulator(world, simulated_robot(loaded.model.spec), seed=seed)
    try:
        loop = DisturbedLoop(loaded, simulator, memory_file, config, seed)
        space = FreeSpace(simulator.world)
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            start = simulator.ground_truth().pose
            goal = loop.goals.sample(2 * index + 1, start)  # the odd ones are far
            elsewhere = space.sample_pose(rng, None, CLEARANCE)
            loop.disturb(Disturbance(kind, float(rng.uniform(*BEGINS)), SECONDS, elsewhere))
            trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, ALLOWANCE)
            yield RecoveryTrial(kind, trial, tuple(loop.passed))
    finally:
        simulator.close()


# What scenarios of the kind `planning` show of the stack in a world that memory knows.

Row = dict[str, Any]  # JSON: kind, tried, reached, collisions, time_s, plan_ms, and how it went


def _goals(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    simulator = Simulator(world, simulated_robot(loaded.model.spec), seed=seed)
    loop = ClosedLoop(loaded, simulator, memory, config, seed)
    began = time.process_time()
    for trial in loop.run(count):
        yield _row(trial, loop) | {"cpu_s": round(time.process_time() - began, 2)}
        began = time.process_time()


def _doors(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    for kind, with_way in (("detour", True), ("no_way", False)):
        for done in drive_tasks(loaded, world, memory, config, seed, count, with_way):
            yield done.trial.to_json() | {"kind": kind, "tried": 1, "reached": int(done.success), "plan_ms": []}


def _mission(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    yield drive_mission(loaded, world, memory, config, seed) | {"kind": "leg", "plan_ms": []}


def _row(trial: Trial, loop: ClosedLoop) -> Row:
    decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
    searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
    return trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches}


# Each takes a model, a world and its memory, the loop, a seed, and how many goals; of doors as many of either kind.
METHODS: dict[str, Callable[[LoadedModel, str, Path, LoopConfig, int, int], Iterator[Row]]] = {
    "onboard": _goals, "doors": _doors, "mission": _mission,
}  # fmt: skip
