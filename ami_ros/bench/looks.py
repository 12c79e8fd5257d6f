"""What looks say of where a goal's picture was taken, in buildings: what the numbers of `posterior.Likelihoods` are
counted from, and how often what is seen makes an arrival, truly or falsely. Nobody drives, so a building takes seconds.

Looks are taken at each picture from beside where it was taken, and from all over the building. Then the robot is put
where the head claims the goal, until it claims it there, and looks from beside that, too, as it does on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.belief import BeliefConfig
from ami_ros.behaviour.looks import GoalLocator, Look
from ami_ros.behaviour.posterior import GoalPosterior, Likelihoods
from ami_ros.bench.buildings import foreign_goals, opened
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.scenario import Part, Report, Row, model_at
from ami_ros.bench.trials import goal_errors, is_at
from ami_ros.core.commands import STILL
from ami_ros.core.geometry import Array, compose, pose_gap
from ami_ros.planning.types import Goal, Percept
from ami_ros.simulation.buildings.kinds import PREFIX, building_name
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator


@dataclass(frozen=True)
class Looks:
    """What looks at pictures say in buildings, and which of them make an arrival."""

    kinds: tuple[str, ...] = ("home", "ward", "office", "school")  # of buildings
    goals: int = 6  # pictures taken there
    foreign: int = 2  # pictures of another building
    views: int = 24  # all over the building
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: models/general

    def parts(self) -> Sequence[Part]:
        return [Part(kind) for kind in self.kinds]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Rows of `what` "beside", "elsewhere" or "arrival"."""
        name = building_name(f"{PREFIX}{part}:{seed}")
        loaded, robot = opened(model_at(self.model, "general"), self.robot)
        simulator = Simulator(str(name), robot, seed=seed)
        looker = Looker(ClosedLoop(loaded, simulator, None, LoopConfig(), seed))
        rng = np.random.default_rng([seed, 0x100C])
        everywhere = [looker.percept(looker.space.sample_pose(rng, clearance=0.05)) for _ in range(self.views)]
        poses: list[Array | None] = [looker.space.sample_pose(rng, clearance=0.1) for _ in range(self.goals)]
        pictures = [simulator.photograph(pose) for pose in poses if pose is not None]
        pictures += [taken[0].image for taken in foreign_goals(simulator.world.name, robot, seed, self.foreign)]
        for goal, image in zip(poses + [None] * self.foreign, pictures, strict=True):
            for row in looker.rows(goal, image, everywhere, rng):
                yield {"building": name.kind} | row
        simulator.close()


class Looker:
    """A robot that is put here and there, and looks."""

    def __init__(self, loop: ClosedLoop) -> None:
        self.loop, self.simulator = loop, loop.simulator
        self.space = FreeSpace(self.simulator.world, radius=self.simulator.description.shape.radius)
        self._latent = np.zeros(loop.loaded.model.spec.latent_dim, np.float32)

    def percept(self, pose: Array) -> Percept:
        """What the robot sees from `pose` (3,), which is what odometry says, too."""
        self.simulator.place(pose)
        seen = self.simulator.observe()
        assert seen.image is not None
        picture = self.loop.perception.encode_picture(self.loop.rectified(seen.image))
        return Percept(0.0, self._latent, pose, STILL, seen.scan, None, picture)

    def rows(
        self, goal: Array | None, image: NDArray[np.uint8], everywhere: Sequence[Percept], rng: np.random.Generator
    ) -> Iterator[Row]:
        """Of one picture (H, W, 3), taken at `goal` (3,), or in another building: looks from beside it, and from
        `everywhere`; arrivals from beside it, and from three wrong claims."""
        locator, claims, reach = self._locator(image), [], 2.4  # [m] around a goal, from where it is looked at
        for percept in everywhere:
            look = locator.look(percept)
            row = look_row("elsewhere", percept.odometry, look, goal)
            yield row
            if look is not None and not row["right"]:
                claims.append((look.odds or 0.0, percept.odometry))
        starts = [pose for _, pose in sorted(claims, key=lambda claim: -claim[0])[:3]]
        if goal is not None:
            for _ in range(10):
                pose = compose(goal, [*rng.uniform(-reach, reach, 2) / np.sqrt(2), rng.uniform(-np.pi, np.pi) / 2])
                if self._is_free(pose) and self.space.path_length(pose, goal) < reach:
                    yield look_row("beside", pose, locator.look(self.percept(pose)), goal)
                    starts.append(pose)
        for start in starts:
            if (arrival := self._arrival(image, start, goal)) is not None:
                yield arrival

    def _locator(self, image: NDArray[np.uint8]) -> GoalLocator:
        """Of a goal's picture (H, W, 3), as the robot's camera took it."""
        picture = self.loop.perception.encode_picture(self.loop.rectified(image))
        return GoalLocator(self.loop.planner.navigator.model, Goal(self._latent, picture))

    def _is_free(self, pose: Array) -> bool:
        """Whether the robot can stand there."""
        return bool(self.space.free(pose[None]).all())

    def _arrival(self, image: NDArray[np.uint8], pose: Array, goal: Array | None) -> Row | None:
        """Where looks lead from `pose` (3,), and what they make of it there; None: they lead nowhere."""
        locator, posterior = self._locator(image), GoalPosterior(Likelihoods())
        for _ in range(5):
            look = locator.look(self.percept(pose))
            if look is None or not self._is_free(compose(pose, look.pose)):
                return None
            pose = compose(pose, look.pose)
            if np.hypot(*look.pose[:2]) < 0.1:
                break
        beside = (0.3, np.pi), (0.3, 0.0), (0.035, np.pi)  # [m], [rad], from where it looks first
        spots = [compose(pose, [far * np.cos(way), far * np.sin(way), 0.0]) for far, way in beside]
        locator.own.forget()
        for number, spot in enumerate([*filter(self._is_free, spots), pose]):
            percept = self.percept(spot)
            look = locator.look(percept)
            for frame in range(2 * round(Likelihoods.frames)):
                posterior.look(number + 0.1 * frame, spot, look)
        found = posterior.at(pose)
        chance = 0.0 if found is None or not found.is_checked(number + 0.5) else found.probability
        return {
            "what": "arrival", "there": goal is not None and is_at(pose, goal),
            "claimed": chance > BeliefConfig.arrived,
            "difference": None if look is None else look.difference,
            "off_m": None if goal is None else round(goal_errors(pose, goal)[0], 3),
        }  # fmt: skip


def look_row(what: str, pose: Array, look: Look | None, goal: Array | None) -> Row:
    """What one look said; `right`: where the goal is."""
    away, turned = (np.inf, np.pi) if goal is None else goal_errors(pose, goal)
    off = (np.inf, np.pi) if goal is None or look is None else pose_gap(compose(pose, look.pose), goal)
    exact = look is not None and look.error is not None and look.error < Likelihoods().certain
    sure = look is not None and look.odds is not None and look.odds >= 1
    says = "nothing" if look is None else ("exact" if exact else "not exact") + (", sure" if sure else "")
    near = "to 0.4 m" if away < 0.4 else "to 0.8 m" if away < 0.8 else "to 1.2 m" if away < 1.2 else "farther"
    return {
        "what": what, "distance": near if turned < 1.0 else "turned away", "says": says, "seen": look is not None,
        "right": bool(np.less(off, Likelihoods.same).all()),
    }  # fmt: skip
