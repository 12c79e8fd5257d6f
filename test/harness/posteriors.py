"""Posteriors of a goal, after looks at it from some spots."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.looks import Look
from ami_ros.behaviour.posterior import GoalPosterior, Hypothesis, Likelihoods
from ami_ros.core.geometry import Array, relative

GOAL = np.array([2.0, 1.0, 0.5])
HERE, BEFORE, FIRST = np.array([1.95, 1.0, 0.45]), np.array([1.5, 0.9, 0.4]), np.array([1.0, 0.8, 0.3])


def look(
    robot: Array, goal: Array = GOAL, difference: float | None = None, odds: float = 3.0, error: float = 0.1
) -> Look:
    return Look(relative(robot, goal), error, odds, difference, None if difference is None else 0.03)


def posterior(*looks: tuple[Array, Look | None], frames: int = 6) -> GoalPosterior:
    """After so many frames of each look, from where it was taken."""
    made = GoalPosterior(Likelihoods())
    return looked(made, *looks, frames=frames)


def looked(made: GoalPosterior, *looks: tuple[Array, Look | None], frames: int = 6) -> GoalPosterior:
    for number, (robot, seen) in enumerate(looks):
        for frame in range(frames):
            made.look(number + 0.1 * frame, robot, seen)
    return made


def at(made: GoalPosterior, pose: Array = GOAL) -> Hypothesis:
    found = made.at(pose)
    assert found is not None
    return found
