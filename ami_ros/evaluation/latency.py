"""How long the parts of the control loop take on this machine, one thread each, as in the nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.geometry import Array, relative
from ami_ros.moving.prediction import constant_velocity
from ami_ros.moving.things import MovingThing, MovingThings
from ami_ros.places.rows import PlaceRow
from ami_ros.places.store import Store
from ami_ros.places.types import Edge, GoalQuery
from ami_ros.planning.costs.people import times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, Plan, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.scan import Scan
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory
from ami_ros.world_model.inference_loading import LoadedArrays
from ami_ros.world_model.perception import Perception

CAMERA_SIZE = 96  # [px], as the simulator has it
BEAMS = 72
PEOPLE = 5  # who walk near the robot
SPACING = 0.3  # between neighbouring places [m]
WARM_UP = 3  # calls that do not count
NO_DEADLINE = 10.0  # [s]; the search is timed at its full size


@dataclass(frozen=True)
class Timing:
    """Durations of one part over all its calls, and what it worked on."""

    name: str
    size: str
    p50_ms: float
    p95_ms: float


def time_control(loaded: LoadedArrays, places: int, repeats: int, seed: int, scratch: Path) -> list[Timing]:
    """Times encoding, planning, localisation and route finding.

    Args:
        loaded: the model; its weights do not matter to the clock.
        places: remembered ones, on a square grid of ways.
        repeats: calls of each part.
        seed: of images, latents and queries.
        scratch: folder for the memory's file.
    """
    rng = np.random.default_rng(seed)
    return [
        *_time_perception(loaded, repeats, rng),
        _time_planner(loaded, repeats, rng, seed, 0),
        _time_planner(loaded, repeats, rng, seed, PEOPLE),
        *_time_memory(loaded, places, repeats, rng, scratch),
    ]


def _time_perception(loaded: LoadedArrays, repeats: int, rng: np.random.Generator) -> list[Timing]:
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


def _time_planner(loaded: LoadedArrays, repeats: int, rng: np.random.Generator, seed: int, people: int) -> Timing:
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


def _time_memory(
    loaded: LoadedArrays, places: int, repeats: int, rng: np.random.Generator, scratch: Path
) -> list[Timing]:
    latents, poses = _remember_grid(loaded, places, rng, scratch / "bench.memory")
    memory = PlaceMemory.copy_of(
        loaded.model, loaded.encoder_id, scratch / "bench.memory", MemoryConfig(learning=False)
    )
    try:
        memory.filter.start_at(poses[0])
        goals = rng.integers(0, places, repeats + WARM_UP)
        size = f"{places} places"

        def observe(i: int) -> None:  # to and fro between the first two places, so that each call has news
            memory.observe(0.2 * i, latents[i % 2], poses[i % 2])

        observing = _timed("observe", size, repeats, observe)
        memory.filter.start_at(poses[0])  # random latents may have lost it; a robot that stands still stays found
        observe((repeats + WARM_UP - 1) % 2)
        routing = _timed("find_route", size, repeats, lambda i: memory.find_route(GoalQuery(latent=latents[goals[i]])))
        return [observing, routing]
    finally:
        memory.close()


def _remember_grid(loaded: LoadedArrays, places: int, rng: np.random.Generator, path: Path) -> tuple[np.ndarray, Array]:
    """Writes a memory of places on a square grid; returns their random latents (n, latent_dim) and poses (n, 3)."""
    side = int(np.ceil(np.sqrt(places)))
    number = np.arange(places)
    poses = np.column_stack([SPACING * (number % side), SPACING * (number // side), np.zeros(places)])
    latents = rng.normal(size=(places, loaded.model.spec.latent_dim)).astype(np.float32)
    store = Store(path, loaded.encoder_id, loaded.model.spec.latent_dim)
    try:
        store.put_places(PlaceRow(int(i) + 1, latents[i], poses[i], 0.0, 0.0, 1) for i in number)
        ways = [(i, j) for i in number for j in (i + 1, i + side) if j < places and not (j == i + 1 and j % side == 0)]
        store.put_edges(Edge(int(i) + 1, int(j) + 1, relative(poses[i], poses[j]), 1, 1.0, 0, 0.0) for i, j in ways)
    finally:
        store.close()
    return latents, poses


def _scan(rng: np.random.Generator) -> Scan:
    ranges = rng.uniform(0.5, 4.0, BEAMS).astype(np.float32)
    return Scan(ranges, -np.pi, 2 * np.pi / BEAMS)


def _timed(name: str, size: str, repeats: int, call: Callable[[int], object]) -> Timing:
    seconds = np.zeros(repeats + WARM_UP)
    for i in range(len(seconds)):
        began = time.perf_counter()
        call(i)
        seconds[i] = time.perf_counter() - began
    return _timing(name, size, seconds)


def _timing(name: str, size: str, seconds: Array) -> Timing:
    p50, p95 = np.percentile(1000 * seconds[WARM_UP:], [50, 95])
    return Timing(name, size, round(float(p50), 3), round(float(p95), 3))
