"""How long perception and planning take on this machine, on one thread, as in the nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ami_ros.bench.scenario import Part, Report, Row, model_at
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, Plan, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.safety.moving_things import MovingThing, MovingThings, constant_velocity
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.model_files import LoadedModel
from ami_ros.world_model.perception import Perception

WARM_UP = 3  # calls that do not count


@dataclass(frozen=True)
class Control:
    """How long perception and planning take on this machine, on one thread."""

    model: str = ""  # folder; empty: models/general
    repeats: int = 100  # calls of each part

    def parts(self) -> Sequence[Part]:
        return [Part("control")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        yield from self.time(load_inference(model_at(self.model, "general")), seed)

    def time(self, loaded: LoadedModel, seed: int) -> Iterator[Row]:
        """Of a model, whose weights do not matter to the clock; random images of 96 x 96 and scans of 72 beams, as the
        simulator has them."""
        rng, perception = np.random.default_rng(seed), Perception(loaded.model)
        images = rng.integers(0, 256, (8, 96, 96, 3), dtype=np.uint8)
        scan = _scan(rng)
        yield self._timed("encode, 96x96 image, 72 beams", lambda i: perception.encode(images[i % 8], scan))
        yield self._timed("encode_goal, 96x96 image", lambda i: perception.encode_goal(images[i % 8]))
        if (pairs := perception.model.pairs) is not None:
            yield self._timed("encode_picture, 96x96 image", lambda i: perception.encode_picture(images[i % 8]))
            codes = np.array([perception.encode_picture(image) for image in images], np.float32)
            yield self._timed(f"compare, {len(codes)} pairs of pictures", lambda i: pairs.compare(codes, codes))
        for people in (0, 5):
            yield self._time_planner(loaded, rng, seed, people)

    def _time_planner(self, loaded: LoadedModel, rng: np.random.Generator, seed: int, people: int) -> Row:
        """The search at its full size, without a deadline, with so many people who walk near the robot."""
        config = PlannerConfig(deadline=10.0, kinematics=Kinematics(loaded.model.spec.drive))
        planner = LatentPlanner(loaded.model, config, seed)
        latents = rng.normal(size=(self.repeats + WARM_UP, 2, loaded.model.spec.latent_dim)).astype(np.float32)
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

        size = f"{plan(0).evaluated} futures of {config.horizon} steps"
        return self._timed(f"plan_among_people, {size}, {people} people" if people else f"plan, {size}", plan)

    def _timed(self, what: str, call: Callable[[int], object]) -> Row:
        seconds = np.zeros(self.repeats + WARM_UP)
        for i in range(len(seconds)):
            began = time.perf_counter()
            call(i)
            seconds[i] = time.perf_counter() - began
        p50, p95 = np.percentile(1000 * seconds[WARM_UP:], [50, 95])
        return {"what": what, "p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}


def _scan(rng: np.random.Generator) -> Scan:
    return Scan(rng.uniform(0.5, 4.0, 72).astype(np.float32), -np.pi, 2 * np.pi / 72)
