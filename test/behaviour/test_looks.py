"""How a moment sees a goal: by pictures where both have one, else by latents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.behaviour.looks import GoalLocator, Look, OwnPictures
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.core.scan import Scan
from ami_ros.memory.types import View
from ami_ros.planning.types import Goal, Percept
from ami_ros.safety.moving_things import MovingThing, MovingThings
from ami_ros.world_model.array_pairs import Compared
from ami_ros.world_model.image_alignment import Alignment
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


# How much a camera's own pictures from beside one another differ


class Pairs:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Floats, Floats, Floats]] = []
        self.hidden: list[Any] = []  # what was not to be compared each time

    def align(
        self, here: Floats, there: Floats, pose: Floats, scan: Scan | None = None, hidden: Any = None
    ) -> Alignment:
        self.asked.append((here, there, pose))
        self.hidden.append(hidden)
        return Alignment(pose[:3], np.array([0.1, 0.2], np.float32))

    def hidden_by(self, discs: Array) -> Array:
        return discs


def moment(x: float, yaw: float = 0.0, turning: float = 0.0) -> Percept:
    """A moment at x, 0, yaw, whose picture is x."""
    here = percept_of(robot_at(1.2, 1.5, 2.0))
    return replace(
        here, odometry=np.array([x, 0.0, yaw]), picture=np.array([x], np.float32), velocity=(0.0, turning)
    )  # fmt: skip


def usual(own: OwnPictures, here: Percept) -> tuple[Floats | None, list[Any]]:
    pairs = Pairs()
    return own.usual(pairs, here), pairs.asked  # type: ignore[arg-type]


def test_the_picture_from_some_centimetres_beside_is_the_one_that_is_compared() -> None:
    own = OwnPictures()
    for x in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1):
        own.add(moment(x))
    found, asked = usual(own, moment(0.1))
    assert found is not None and found.tolist() == np.array([0.1, 0.2], np.float32).tolist()
    ((here, there, pose),) = asked
    assert here.item() == np.float32(0.1) and there.item() == np.float32(0.06)
    assert np.allclose(pose, [-0.04, 0.0, 1.0, 0.0], atol=1e-6)


def test_one_that_stands_or_was_far_off_has_none() -> None:
    own = OwnPictures()
    for _ in range(5):
        own.add(moment(0.5))
    assert usual(own, moment(0.5)) == (None, [])
    assert usual(own, moment(1.5)) == (None, [])
    own.add(moment(1.47))
    assert usual(own, moment(1.5))[0] is not None
    own.forget()
    assert usual(own, moment(1.5)) == (None, [])


def test_pictures_that_a_turn_has_blurred_are_not_kept_and_slow_turns_count_as_motion() -> None:
    own = OwnPictures()
    own.add(moment(0.0, yaw=0.0, turning=1.0))
    assert usual(own, moment(0.0, yaw=0.06))[0] is None
    own.add(moment(0.0, yaw=0.0, turning=0.2))
    assert usual(own, moment(0.0, yaw=0.06))[0] is not None


def test_a_moment_without_a_picture_is_compared_with_none() -> None:
    own = OwnPictures()
    own.add(moment(0.0))
    assert usual(own, replace(moment(0.04), picture=None)) == (None, [])


def test_who_walks_about_is_not_compared() -> None:
    """In the robot's own pictures he is in two places."""
    own, pairs = OwnPictures(), Pairs()
    for x in (0.0, 0.05):
        own.add(moment(x))
    walker = MovingThing(1, np.array([1.0, 0.5]), np.zeros(2), np.eye(4), 0.25)
    for things in (None, MovingThings(0.0), MovingThings(0.0, (walker,))):
        own.usual(pairs, replace(moment(0.05), things=things))  # type: ignore[arg-type]
    nobody, empty, seen = pairs.hidden
    assert nobody is None and empty is None and np.allclose(seen, [[0.95, 0.5, 0.25]])
