"""What looks say of where a goal's picture was taken, in buildings: what the numbers of `goal.likelihoods` are counted
from, and how often what is seen makes an arrival, truly or falsely. Nobody drives, so a building takes seconds.

Looks are taken at each picture from beside where it was taken, and from all over the building. Then the robot is put
where the head claims the goal, until it claims it there, and looks from beside that, too, as it does on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.belief import Chances
from ami_ros.behaviour.looks import GoalLocator, Look
from ami_ros.behaviour.posterior import GoalPosterior, Likelihoods
from ami_ros.bench.buildings import foreign_goals
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.trials import REACHED_DISTANCE, REACHED_HEADING, goal_errors
from ami_ros.core.commands import STILL
from ami_ros.core.geometry import Array, compose, pose_gap
from ami_ros.core.robots.description import load_robot
from ami_ros.planning.types import Goal, Percept
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.torch_model import load_model

Row = dict[str, Any]
REACH = 2.4  # [m] around a goal, from where it is looked at
BESIDE = 10  # looks from there
WRONG = 3  # claims from elsewhere that the robot is put to, of each picture
PUT, CLOSE = 5, 0.1  # times at most, until the claim is within [m] of where the robot stands
SPOTS = (0.3, np.pi), (0.3, 0.0), (0.035, np.pi)  # [m], [rad] beside there, from where it looks first


class Looker:
    """A robot that is put here and there, and looks. Raises AmiError: there is no such world, robot or model."""

    def __init__(self, world: str, model: Path, robot: str, seed: int) -> None:
        loaded = load_model(model)
        self.robot = load_robot(robot or simulated_robot(loaded.model.spec))
        self.simulator = Simulator(world, self.robot, seed=seed)
        self.space = FreeSpace(self.simulator.world, radius=self.robot.shape.radius)
        self.loop = ClosedLoop(loaded, self.simulator, None, LoopConfig(), seed)
        self.model = self.loop.planner.navigator.model
        self.latent = np.zeros(loaded.model.spec.latent_dim, np.float32)

    def percept(self, pose: Array) -> Percept:
        """What the robot sees from `pose` (3,), which is what odometry says, too."""
        self.simulator.place(pose)
        seen = self.simulator.observe()
        assert seen.image is not None
        picture = self.loop.perception.encode_picture(self.loop.rectified(seen.image))
        return Percept(0.0, self.latent, pose, STILL, seen.scan, None, picture)

    def locator(self, image: NDArray[np.uint8]) -> GoalLocator:
        """Of a goal's picture (H, W, 3), as the robot's camera took it."""
        picture = self.loop.perception.encode_picture(self.loop.rectified(image))
        return GoalLocator(self.model, Goal(self.latent, picture))

    def is_free(self, pose: Array) -> bool:
        """Whether the robot can stand there."""
        return bool(self.space.free(pose[None]).all())


def look_rows(looker: Looker, seed: int, goals: int, foreign: int, views: int) -> Iterator[Row]:
    """Rows of `what` "beside", "elsewhere" or "arrival".

    Args:
        looker: is closed in the end.
        seed: of places.
        goals: pictures taken there.
        foreign: pictures of another building.
        views: all over the building.
    """
    rng = np.random.default_rng([seed, 0x100C])
    everywhere = [looker.percept(looker.space.sample_pose(rng, clearance=0.05)) for _ in range(views)]
    poses: list[Array | None] = [looker.space.sample_pose(rng, clearance=0.1) for _ in range(goals)]
    pictures = [looker.simulator.photograph(pose) for pose in poses if pose is not None]
    pictures += [taken[0].image for taken in foreign_goals(looker.simulator.world.name, looker.robot, seed, foreign)]
    for goal, image in zip(poses + [None] * foreign, pictures, strict=True):
        locator, claims = looker.locator(image), []
        for percept in everywhere:
            look = locator.look(percept)
            row = _row("elsewhere", percept.odometry, look, goal)
            yield row
            if look is not None and not row["right"]:
                claims.append((look.odds or 0.0, percept.odometry))
        starts = [pose for _, pose in sorted(claims, key=lambda claim: -claim[0])[:WRONG]]
        if goal is not None:
            for _ in range(BESIDE):
                pose = compose(goal, [*rng.uniform(-REACH, REACH, 2) / np.sqrt(2), rng.uniform(-np.pi, np.pi) / 2])
                if looker.is_free(pose) and looker.space.path_length(pose, goal) < REACH:
                    yield _row("beside", pose, locator.look(looker.percept(pose)), goal)
                    starts.append(pose)
        for start in starts:
            if (arrival := _arrival(looker, image, start, goal)) is not None:
                yield arrival
    looker.simulator.close()


def _row(what: str, pose: Array, look: Look | None, goal: Array | None) -> Row:
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


def _arrival(looker: Looker, image: NDArray[np.uint8], pose: Array, goal: Array | None) -> Row | None:
    """Where looks lead from `pose` (3,), and what they make of it there; None: they lead nowhere."""
    locator, posterior = looker.locator(image), GoalPosterior(Likelihoods())
    for _ in range(PUT):
        look = locator.look(looker.percept(pose))
        if look is None or not looker.is_free(compose(pose, look.pose)):
            return None
        pose = compose(pose, look.pose)
        if np.hypot(*look.pose[:2]) < CLOSE:
            break
    spots = [compose(pose, [far * np.cos(way), far * np.sin(way), 0.0]) for far, way in SPOTS]
    locator.own.forget()
    for number, spot in enumerate([*filter(looker.is_free, spots), pose]):
        percept = looker.percept(spot)
        look = locator.look(percept)
        for frame in range(2 * round(Likelihoods.frames)):
            posterior.look(number + 0.1 * frame, spot, look)
    found = posterior.at(pose)
    errors = (np.inf, np.pi) if goal is None else goal_errors(pose, goal)
    chance = 0.0 if found is None or not found.is_checked(number + 0.5) else found.probability
    return {
        "what": "arrival", "there": bool(np.less_equal(errors, (REACHED_DISTANCE, REACHED_HEADING)).all()),
        "claimed": chance > Chances.arrived, "difference": None if look is None else look.difference,
        "off_m": None if goal is None else round(float(errors[0]), 3),
    }  # fmt: skip
