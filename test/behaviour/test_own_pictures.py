"""How much a camera's own pictures from beside one another differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ami_ros.behaviour.looks import OwnPictures
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.planning.types import Percept
from ami_ros.safety.moving_things import MovingThing, MovingThings
from ami_ros.world_model.image_alignment import Alignment
from ami_ros.world_model.layers import Floats

from .conftest import percept_of, robot_at


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
