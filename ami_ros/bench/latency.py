"""How long perception and planning take on this machine, and how old things are by which a robot drives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ami_ros.bench.closed_loop import ClosedLoop
from ami_ros.bench.timing import ControlRecord
from ami_ros.bench.trials import Trial
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, Plan, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.planning.types import State
from ami_ros.runtime.part import CMD_VEL_RAW, STATE, THOUGHT, Port
from ami_ros.runtime.planner import PlannerPart, PlannerStatus, Thought
from ami_ros.safety.moving_things import MovingThing, MovingThings, constant_velocity
from ami_ros.world_model.model_files import LoadedModel
from ami_ros.world_model.perception import Perception

# How long perception and planning take on this machine, one thread each, as in the nodes.

CAMERA_SIZE = 96  # [px], as the simulator has it
BEAMS = 72
PEOPLE = 5  # who walk near the robot
WARM_UP = 3  # calls that do not count
NO_DEADLINE = 10.0  # [s]; the search is timed at its full size


@dataclass(frozen=True)
class Timing:
    """Durations of one part over all its calls, and what it worked on."""

    name: str
    size: str
    p50_ms: float
    p95_ms: float


def time_control(loaded: LoadedModel, repeats: int, seed: int) -> list[Timing]:
    """Times encoding and planning.

    Args:
        loaded: the model; its weights do not matter to the clock.
        repeats: calls of each part.
        seed: of images and latents.
    """
    rng = np.random.default_rng(seed)
    return [
        *_time_perception(loaded, repeats, rng),
        _time_planner(loaded, repeats, rng, seed, 0),
        _time_planner(loaded, repeats, rng, seed, PEOPLE),
    ]


def _time_perception(loaded: LoadedModel, repeats: int, rng: np.random.Generator) -> list[Timing]:
    perception = Perception(loaded.model)
    images = rng.integers(0, 256, (8, CAMERA_SIZE, CAMERA_SIZE, 3), dtype=np.uint8)
    scan = _scan(rng)
    picture = f"{CAMERA_SIZE}x{CAMERA_SIZE} image"
    timings = [
        _timed("encode", f"{picture}, {BEAMS} beams", repeats, lambda i: perception.encode(images[i % 8], scan)),
        _timed("encode_goal", picture, repeats, lambda i: perception.encode_goal(images[i % 8])),
    ]
    if (pairs := perception.model.pairs) is not None:
        timings.append(_timed("encode_picture", picture, repeats, lambda i: perception.encode_picture(images[i % 8])))
        codes = np.array([perception.encode_picture(image) for image in images], np.float32)
        timings.append(
            _timed("compare", f"{len(codes)} pairs of pictures", repeats, lambda i: pairs.compare(codes, codes))
        )
    return timings


def _time_planner(loaded: LoadedModel, repeats: int, rng: np.random.Generator, seed: int, people: int) -> Timing:
    config = PlannerConfig(deadline=NO_DEADLINE, kinematics=Kinematics(loaded.model.spec.drive))
    planner = LatentPlanner(loaded.model, config, seed)
    latents = rng.normal(size=(repeats + WARM_UP, 2, loaded.model.spec.latent_dim)).astype(np.float32)
    scan, pose = _scan(rng), np.array([1.0, 0.5, 0.0])
    places, velocities = rng.uniform(-2.0, 2.0, (people, 2)), rng.uniform(-1.0, 1.0, (people, 2))
    passing = MovingThings(
        0.0, tuple(MovingThing(k, places[k], velocities[k], 0.02 * np.eye(4), 0.3) for k in range(people))
    )
    wanted = times(config.horizon, loaded.model.spec.step_duration)

    def plan(i: int) -> Plan:
        here, goal = latents[i]
        forecast = constant_velocity(passing, 0.0, wanted, config.prediction) if people else None
        return planner.plan(0.2 * i, here, (0.2, 0.0), scan, Target(goal, pose, True), forecast=forecast)

    size = f"{plan(0).evaluated} futures of {config.horizon} steps{f', {people} people' if people else ''}"
    return _timed("plan_among_people" if people else "plan", size, repeats, plan)


def _scan(rng: np.random.Generator) -> Scan:
    ranges = rng.uniform(0.5, 4.0, BEAMS).astype(np.float32)
    return Scan(ranges, -np.pi, 2 * np.pi / BEAMS)


def _timed(name: str, size: str, repeats: int, call: Callable[[int], object]) -> Timing:
    seconds = np.zeros(repeats + WARM_UP)
    for i in range(len(seconds)):
        began = time.perf_counter()
        call(i)
        seconds[i] = time.perf_counter() - began
    p50, p95 = np.percentile(1000 * seconds[WARM_UP:], [50, 95])
    return Timing(name, size, round(float(p50), 3), round(float(p95), 3))


# How old things are by which a robot drives, on whichever bus: image to command, location, answers of memory.


class Watched(Protocol):
    """A bus on which one can look on."""

    def now(self) -> float: ...
    def watch(self, port: Port, take: Callable[[float, Any], None]) -> None: ...


@dataclass
class Ages:
    """Ages at each decision of one planner [s]; all on the robot's clock but those of routes, which are steady.

    Attributes:
        command: from the stamp of an image to the first command that was decided on it.
        location: of memory's belief, when the decision was made.
        routes: from a question to its answer's use.
    """

    command: list[float] = field(default_factory=list)
    location: list[float] = field(default_factory=list)
    routes: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, planner: PlannerPart, bus: Watched) -> Ages:
        """Those of a planner from now on; `bus` is the one that it gives to."""
        ages, decided = cls(routes=planner.routes.took), list[float]()

        def think(stamp: float, thought: Thought) -> None:
            if thought.decision is None:
                return
            decided[:] = [stamp]
            if (location := thought.percept.location) is not None:
                ages.location.append(bus.now() - location.stamp)

        def command(stamp: float, value: Any) -> None:
            if decided:
                ages.command.append(bus.now() - decided.pop())

        bus.watch(THOUGHT, think)
        bus.watch(CMD_VEL_RAW, command)
        return ages

    def figures(self) -> dict[str, float | None]:
        """p50 and p95 of each, by names with units."""
        named = {"image_to_command": self.command, "location_age": self.location, "route_answer": self.routes}
        return {
            f"{name}_p{q}_ms": round(1000 * float(np.percentile(values, q)), 1) if values else None
            for name, values in named.items()
            for q in (50, 95)
        }


def drive_and_record(loop: ClosedLoop, goals: int) -> tuple[ControlRecord, Ages, list[Trial]]:
    """Drives to goals in simulated time; how regularly commands came is recorded as the client of real nodes does."""
    control, ages = ControlRecord(), Ages.of(loop.planner, loop.bus)

    def observe(stamp: float, status: PlannerStatus) -> None:
        if status.verdict.state is State.CONTROLLING and status.execution is not None:
            control.observation(stamp, stamp - status.execution.plan.stamp)

    loop.bus.watch(CMD_VEL_RAW, lambda stamp, command: control.command(stamp, stamp))
    loop.bus.watch(STATE, observe)
    trials = []
    for trial in loop.run(goals):
        control.end()
        trials.append(trial)
    return control, ages, trials
