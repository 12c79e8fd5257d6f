"""How a moment sees a goal: by pictures where both have one, else by latents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.looks import GoalLocator, Look
from ami_ros.core.geometry import compose, relative
from ami_ros.memory.types import View
from ami_ros.planning.types import Goal, Percept
from ami_ros.world_model.array_pairs import Compared
from ami_ros.world_model.layers import Floats
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


class Narrow:
    """Compares pictures, which are latents here; sees half a radian to each side."""

    threshold = 0.9

    def __init__(self, model: ExactModel) -> None:
        self._pose, self.compared = model.relative_pose, list[Floats]()

    def compare(self, here: Floats, there: Floats, columns: object = None) -> Compared:
        self.compared.append(there[0])
        pose = self._pose(here, there)
        same = np.abs(np.arctan2(pose[:, 3], pose[:, 2])) < 0.5
        return Compared(pose, np.full(1, 0.1, np.float32), same.astype(np.float32))


def narrow(turns: tuple[float, ...]) -> tuple[GoalLocator, Narrow]:
    """A goal with a picture that looks as it does, and others."""
    model = ExactModel()
    model.pairs = pairs = Narrow(model)  # type: ignore[assignment]
    seen = [latent_of(compose(GOAL, (0.0, 0.0, turn))) for turn in (0.0, *turns)]
    more = tuple(View(latent, latent, turn) for latent, turn in zip(seen[1:], turns, strict=True))
    return GoalLocator(model, Goal(latent=seen[0], picture=seen[0], more=more)), pairs


def test_who_looks_another_way_knows_a_goal_by_the_picture_that_was_taken_that_way() -> None:
    away = compose(GOAL, (-0.8, 0.3, 2.0))
    percept = replace(HERE, odometry=away, picture=latent_of(away))
    one, _ = narrow(())
    assert one.look(percept, relative(away, GOAL)) is None
    several, pairs = narrow((1.0, 2.0, 3.0, -2.0))
    found = several.look(percept, relative(away, GOAL))
    assert found is not None and several.view.turn == 2.0 and len(pairs.compared) == 1
    np.testing.assert_allclose(found.pose, relative(away, GOAL), atol=1e-5)


def test_each_picture_has_its_turn_where_nobody_knows_where_the_goal_is() -> None:
    several, pairs = narrow((2.0, -2.0))
    percept = replace(HERE, picture=HERE.latent)
    for number in range(6):
        several.look(percept, None if number % 2 else relative(HERE.odometry, GOAL + [9.0, 0.0, 0.0]))
    assert [round(view.turn) for view in several.views] == [0, 2, -2]
    np.testing.assert_array_equal(np.array(pairs.compared[:3]), [view.picture for view in several.views])
    np.testing.assert_array_equal(pairs.compared[:3], pairs.compared[3:])


def looked(model: ExactModel, goal: Goal, percept: Percept) -> Look:
    seen = GoalLocator(model, goal).look(percept)
    assert seen is not None
    return seen


def latent_pose() -> np.ndarray:
    """The pose (3,) that HERE's latent stands for."""
    x, y, c, s = HERE.latent
    return np.array([x, y, np.arctan2(s, c)])
