"""What moves, as plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.safety.moving_things import MOST_THINGS, Kind, MovingThing, MovingThings, checked, process_noise

WALKER = MovingThing(
    id=3, position=np.array([2.0, 1.0]), velocity=np.array([-1.0, 0.5]), covariance=np.diag([0.01, 0.01, 0.04, 0.04]),
    radius=0.3, kind=Kind.PERSON, confidence=0.9,
)  # fmt: skip


def test_things_come_as_arrays() -> None:
    things = MovingThings(1.0, (WALKER, replace(WALKER, id=4)))
    assert things.positions.shape == things.velocities.shape == (2, 2)
    assert things.covariances.shape == (2, 4, 4) and things.radii.tolist() == [0.3, 0.3]
    assert MovingThings(1.0).positions.shape == (0, 2) and MovingThings(1.0).covariances.shape == (0, 4, 4)


def test_a_thing_goes_on_and_its_doubt_grows() -> None:
    later = WALKER.after(2.0, 0.5)
    assert later.position.tolist() == [0.0, 2.0] and later.velocity.tolist() == [-1.0, 0.5]
    assert later.covariance[0, 0] == pytest.approx(0.01 + 4 * 0.04 + 0.25 * 8 / 3)
    assert later.covariance[0, 2] == pytest.approx(2 * 0.04 + 0.25 * 2)
    assert later.covariance[2, 2] == pytest.approx(0.04 + 0.25 * 2)
    assert WALKER.after(-1.0, 0.5) is WALKER


def test_doubt_after_two_steps_is_that_after_one_of_both() -> None:
    once, twice = WALKER.after(1.0, 0.7), WALKER.after(0.4, 0.7).after(0.6, 0.7)
    assert np.allclose(once.covariance, twice.covariance) and np.linalg.eigvalsh(process_noise(1.0, 0.7)).min() > 0


LOPSIDED = np.diag([0.01, 0.01, 0.04, 0.04]) + np.eye(4, k=1) * 0.005


@pytest.mark.parametrize(
    "wrong",
    [
        {"position": np.array([np.nan, 0.0])},
        {"position": np.array([1e9, 0.0])},
        {"velocity": np.array([0.0, np.inf])},
        {"velocity": np.array([12.0, 12.0])},
        {"covariance": np.diag([0.01, 0.01, -0.04, 0.04])},
        {"covariance": LOPSIDED},
        {"covariance": np.eye(4) * 1e9},
        {"radius": 0.0},
        {"radius": 9.0},
        {"confidence": 1.2},
        {"confidence": -0.1},
    ],
)
def test_a_thing_that_cannot_be_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(AmiError, match="moving things: "):
        checked(MovingThings(0.0, (WALKER, replace(WALKER, id=4, **wrong))))


def test_too_many_and_twice_the_same_are_refused() -> None:
    crowd = tuple(replace(WALKER, id=k) for k in range(MOST_THINGS))
    assert checked(MovingThings(0.0, crowd)).things == crowd
    with pytest.raises(AmiError, match="65 at once"):
        checked(MovingThings(0.0, (*crowd, replace(WALKER, id=99))))
    with pytest.raises(AmiError, match="same id"):
        checked(MovingThings(0.0, (WALKER, WALKER)))
