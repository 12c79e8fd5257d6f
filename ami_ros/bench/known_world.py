"""Drives in a world that memory knows: goals, closed doors, missions, and far goals on the way to which something goes
wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.recovery import RecoveryState
from ami_ros.behaviour.task import Destination
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig, TaskDrive, loop_config
from ami_ros.bench.scenario import Part, Report, Row, chosen, memory_at, model_at
from ami_ros.bench.trials import CLEARANCE, Trial, is_at
from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, register
from ami_ros.runtime.planner import Thought
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import Door, World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.torch_model import LoadedModel, load_model

Fault = Literal["nothing", "carried_away", "camera_covered", "wheels_slip"]
FAULTS: tuple[Fault, ...] = ("nothing", "carried_away", "camera_covered", "wheels_slip")


@dataclass(frozen=True)
class KnownWorld:
    """A world, its memory, and the model and stack that drive there."""

    world: str
    loaded: LoadedModel
    memory: Path
    config: LoopConfig
    seed: int

    @classmethod
    def opened(cls, world: str, model: str, memory: str, seed: int, settings: Sequence[str] = ()) -> KnownWorld:
        """By options of a scenario; those of the model and its memory may be empty. Raises AmiError: there is none."""
        folder = model_at(model, "onboard")
        file, config = memory_at(memory, folder, world), loop_config(settings)
        return cls(world, load_model(folder), file, config, seed)

    def simulator(self, seed: int) -> Simulator:
        """The robot that the model drives."""
        return Simulator(self.world, simulated_robot(self.loaded.model.spec), seed=seed)

    def loop(self, simulator: Simulator, seed: int) -> ClosedLoop:
        """The stack that drives it."""
        return ClosedLoop(self.loaded, simulator, self.memory, self.config, seed)


@dataclass(frozen=True)
class Planning:
    """Image goals in one process, in a world that memory knows."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 20  # a seed, half of them far
    baselines: tuple[str, ...] = ()  # onboard, doors, mission; empty: all
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        return [Part(name) for name in chosen(self.baselines, ("onboard", "doors", "mission"))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        known = KnownWorld.opened(self.world, self.model, self.memory, seed, self.set)
        rows = {"onboard": drive_goals, "doors": drive_doors, "mission": drive_mission}[part](known, self.goals)
        for number, row in enumerate(rows, 1):
            report(f"goal {number}")
            yield row


def drive_goals(known: KnownWorld, count: int) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    loop = known.loop(known.simulator(known.seed), known.seed)
    began = time.process_time()
    for trial in loop.run(count):
        decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
        searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
        took = {"cpu_s": round(time.process_time() - began, 2)}
        yield trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches} | took
        began = time.process_time()


@dataclass(frozen=True)
class DoorTask:
    """Where to start, where to go (3,), what is closed, and the way that is left [m]; inf: none."""

    start: Array
    goal: Array
    closed: tuple[str, ...]
    way: float

    def kept_by(self, trial: Trial) -> bool:
        """Reached if there was another way; else given up in a minute, with a code, and without touching anything."""
        if np.isfinite(self.way):
            return trial.success
        ended = trial.status == "aborted" and trial.error_code != 0 and trial.time_s <= 60.0
        return ended and not trial.collisions


def drive_doors(known: KnownWorld, count: int) -> Iterator[Row]:
    """Goals behind closed doors: `count` with another way and as many without any, each begun anew: odometry and memory
    know nothing of the one before."""
    for kind, with_way in (("detour", True), ("no_way", False)):
        for index in range(count):
            rng = np.random.default_rng([known.seed, index, with_way])
            task = sample_door_task(load_world(known.world), rng, with_way)
            simulator = known.simulator(int(rng.integers(2**31)))
            try:
                simulator.reset(task.start)
                for name in task.closed:
                    simulator.set_door(name, False)
                loop = known.loop(simulator, known.seed + index)
                trial = loop.drive("far", simulator.ground_truth().pose, task.goal, min(task.way, 99.0), 120.0)
            finally:
                simulator.close()
            yield trial.to_json() | {"kind": kind, "tried": 1, "reached": int(task.kept_by(trial)), "plan_ms": []}


def sample_door_task(world: World, rng: np.random.Generator, with_way: bool) -> DoorTask:
    """Doors are closed on the shortest way: one, or (without a way) all of the goal's room. The other way is longer by
    a metre. Goals are 1 m from closed doors, and starts 0.9 m: a picture of the door would be another goal.

    Raises:
        AmiError: the world offers no such task.
    """
    names = [door.name for door in world.doors]
    space, shut = FreeSpace(world), dict[tuple[str, ...], FreeSpace]()
    for _ in range(3000):
        start, goal = (space.sample_pose(rng, None, CLEARANCE) for _ in range(2))
        room = space.room_of(goal)
        if space.room_of(start) == room:
            continue
        closed = (names[rng.integers(len(names))],) if with_way and names else tuple(doors_of(world, room))
        middles = [middle(door) for door in world.doors if door.name in closed]
        if not all(np.hypot(*(start[:2] - m)) > 0.9 and np.hypot(*(goal[:2] - m)) > 1.0 for m in middles):
            continue
        if closed not in shut:
            shut[closed] = FreeSpace(world, {door.name: door.name not in closed for door in world.doors})
        way, direct = shut[closed].path_length(start, goal), space.path_length(start, goal)
        if np.isfinite(direct) and (direct + 1.0 < way < np.inf if with_way else way == np.inf):
            return DoorTask(start, goal, closed, way)
    raise AmiError(
        f"world '{world.name}' offers no goal behind a closed door with{'' if with_way else 'out'} another way"
    )


def doors_of(world: World, room: str | None) -> list[str]:
    """Names of the doors at the edge of a room, to 0.2 m."""
    areas = [np.reshape(r.area, (2, 2)) + [[-0.2], [0.2]] for r in world.rooms if r.name == room]
    inside = [
        (door.name, (low <= middle(door)) & (middle(door) <= high)) for door in world.doors for low, high in areas
    ]
    return [name for name, is_in in inside if is_in.all()]


def middle(door: Door) -> Array:
    """(2,) [m]"""
    return (np.array(door.start) + np.array(door.end)) / 2


def drive_mission(known: KnownWorld, count: int) -> Iterator[Row]:
    """Visits eight places drawn from a memory, in the order that the mission chooses; `count` does not matter.

    A leg counts if the mission says that its place was reached and the robot then truly stood there, within what any
    trial of ours allows. Where a place truly is, is told by where the memory's frame lies in the world.
    """
    legs, allowance = 8, 90.0  # simulated [s] for each try, as for far goals
    rng = np.random.default_rng([known.seed, 0x3155107])  # apart from those of recorded runs, whatever the seed
    robot = known.simulator(int(rng.integers(2**31)))
    robot.reset(FreeSpace(robot.world).sample_pose(rng))
    loop = known.loop(robot, known.seed)
    goals = tuple(Destination("place", place_id=k, wait=1.0) for k in _draw_places(loop, legs, rng))
    mission = Mission(MissionPlan(goals, ordered=False, leg_allowance=allowance))
    drive = TaskDrive(loop, mission)
    for _ in drive.run(legs * 2 * (allowance + 10.0)):
        pass
    frame = register(np.array(drive.believed).reshape(-1, 3), np.array(drive.true).reshape(-1, 3))
    reached = [leg for leg in drive.legs if leg.succeeded and frame is not None]
    places = [loop.memory.map.place(leg.leg.destination.place_id).pose for leg in reached]
    yield {
        "tried": legs,
        "reached": sum(
            is_at(leg.final, compose(np.asarray(frame), place)) for leg, place in zip(reached, places, strict=True)
        ),
        "said_reached": sum(record.reached for record in mission.progress.records),
        "tries": len(drive.legs),
        "time_s": drive.elapsed,
        "driven_m": drive.distance,
        "collisions": robot.ground_truth().contacts,
        "kind": "leg",
        "plan_ms": [],
    }


def _draw_places(loop: ClosedLoop, count: int, rng: np.random.Generator) -> list[int]:
    """Ids of places that are a metre apart."""
    index, found = loop.memory.map.index, list[int]()
    for row in rng.permutation(len(index)):
        if all(np.hypot(*(index.poses[row, :2] - index.poses[k, :2])) > 1.0 for k in found):
            found.append(int(row))
        if len(found) == count:
            return [int(index.ids[k]) for k in found]
    raise AmiError(f"the memory has only {len(found)} places that are 1 m apart; ask for fewer legs")


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong, and when.

    Attributes:
        kind: what.
        begin: simulated [s] after the goal was given.
        seconds: for how long; being carried away takes no time.
        pose: (3,) in the world's frame, where the robot is put that is carried away.
    """

    kind: Fault
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
        """Carries the robot away; where its wheels slip, it is set back each 0.2 s though odometry goes on."""
        what, now = self.disturbance, self.simulator.time
        if self._under_way("carried_away") and what.pose is not None:
            self.simulator.place(what.pose)
            self.disturbance = replace(what, kind="nothing")
        if not self._under_way("wheels_slip"):
            self._stuck_at = None
        elif self._stuck_at is None:
            self._stuck_at, self._set_back = self.simulator.ground_truth().pose, now
        elif now - self._set_back > 0.2 - 1e-6:
            self.simulator.place(self._stuck_at)
            self._set_back = now
        super().move(command)

    def _under_way(self, kind: Fault) -> bool:
        since = self.simulator.time - self.began - self.disturbance.begin
        return self.disturbance.kind == kind and 0.0 <= since < self.disturbance.seconds


@dataclass(frozen=True)
class Recovery:
    """Far goals on the way to which something goes wrong: what is reached, and what the robot made of it."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 10  # of each kind of fault
    faults: tuple[str, ...] = ()  # what goes wrong; empty: each, and nothing at all
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model

    def parts(self) -> Sequence[Part]:
        return [Part(name) for name in chosen(self.faults, FAULTS)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """One goal after the other; what goes wrong and the goals depend on the seed alone."""
        (fault,) = (fault for fault in FAULTS if fault == part)
        known, earliest = KnownWorld.opened(self.world, self.model, self.memory, seed), 3.0  # [s] after a goal is given
        simulator = known.simulator(seed)
        try:
            loop = DisturbedLoop(known.loaded, simulator, known.memory, known.config, seed)
            space = FreeSpace(simulator.world)
            for index in range(self.goals):
                rng = np.random.default_rng([seed, index])
                start = simulator.ground_truth().pose
                goal = loop.goals.sample(2 * index + 1, start)  # the odd ones are far
                elsewhere = space.sample_pose(rng, None, CLEARANCE)
                loop.disturb(Disturbance(fault, float(rng.uniform(earliest, 7.0)), 5.0, elsewhere))
                trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, 120.0)
                report(f"{part}: {trial.status}")
                noticed = any(state is not RecoveryState.CALM for at, state, _ in loop.passed if at >= earliest)
                yield trial.to_json() | {"fault": part, "reached": trial.there, "noticed": noticed}
        finally:
            simulator.close()
