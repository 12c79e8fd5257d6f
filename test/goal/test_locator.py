"""How a moment sees a goal: by pictures where both have one, else by latents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.geometry import relative
from ami_ros.goal.looks import GoalLocator, Look
from ami_ros.planning.types import Goal, Percept
from ami_ros.world_model.arrays import Floats
from harness.course import GOAL
from harness.exact_model import ExactModel, latent_of

from .conftest import percept_of, robot_at

HERE = percept_of(robot_at(1.2, 1.5, 2.0))
GUESSED = Goal(latent=latent_of(GOAL + [0.4, 0.0, 0.0]))  # what a picture lets guess of the latent there
PICTURED = replace(GUESSED, picture=latent_of(GOAL))


class Pictures(ExactModel):
    """Compares codes of pictures, which are latents here, without error."""

    def __init__(self) -> None:
        super().__init__()
        self.sighting = self.compare  # type: ignore[assignment]

    def compare(self, latent: Floats, here: Floats, there: Floats) -> Floats:
        return np.append(self.relative_pose(here, there), np.float32(-3.0))


def test_pictures_are_compared_where_there_are_two() -> None:
    here = replace(HERE, picture=HERE.latent)
    found = looked(Pictures(), PICTURED, here)
    pose, error = found.pose, found.error
    np.testing.assert_allclose(pose, relative(latent_pose(), GOAL), atol=1e-5)
    assert error == pytest.approx(np.exp(-3.0))


@pytest.mark.parametrize("goal", [GUESSED, PICTURED])
def test_latents_serve_where_the_moment_or_the_goal_has_no_picture(goal: Goal) -> None:
    here = HERE if goal is PICTURED else replace(HERE, picture=HERE.latent)
    found = looked(Pictures(), goal, here)
    pose, error = found.pose, found.error
    np.testing.assert_allclose(pose, relative(latent_pose(), GOAL + [0.4, 0.0, 0.0]), atol=1e-5)
    assert error is None


def test_a_model_that_compares_no_pictures_looks_by_latents(model: ExactModel) -> None:
    found = looked(model, PICTURED, replace(HERE, picture=HERE.latent))
    pose, error = found.pose, found.error
    np.testing.assert_allclose(pose, relative(latent_pose(), GOAL + [0.4, 0.0, 0.0]), atol=1e-5)
    assert error is None


def looked(model: ExactModel, goal: Goal, percept: Percept) -> Look:
    seen = GoalLocator(model, goal).look(percept)
    assert seen is not None
    return seen


def latent_pose() -> np.ndarray:
    """The pose (3,) that HERE's latent stands for."""
    x, y, c, s = HERE.latent
    return np.array([x, y, np.arctan2(s, c)])
