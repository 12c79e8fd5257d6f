"""How long perception and planning take on this machine, one thread each, as in the nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ami_ros.moving.prediction import constant_velocity
from ami_ros.moving.things import MovingThing, MovingThings
from ami_ros.planning.costs.people import times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, Plan, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.scan import Scan
from ami_ros.world_model.identity import LoadedModel
from ami_ros.world_model.perception import Perception

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
