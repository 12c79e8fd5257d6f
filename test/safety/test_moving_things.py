"""What moves, as plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.safety.moving_things import (
    MOST_THINGS,
    Footprints,
    FootprintsConfig,
    Kind,
    MovingThing,
    MovingThings,
    PredictionConfig,
    checked,
    constant_velocity,
    process_noise,
    usable,
)

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


STROLLER = MovingThing(
    1, np.array([2.0, 1.0]), np.array([-1.0, 0.0]), np.diag([0.01, 0.01, 0.04, 0.04]), 0.3, Kind.PERSON
)
THINGS = MovingThings(10.0, (STROLLER, replace(STROLLER, id=2, velocity=np.array([0.1, 0.1]))))
CONFIG = PredictionConfig(wander=0.3)


def test_who_walks_goes_on_from_the_moment_that_asks_and_who_stands_is_no_forecast() -> None:
    forecast = constant_velocity(THINGS, 10.2, np.array([0.0, 1.0]), CONFIG)
    assert forecast is not None and forecast.positions.shape == (1, 2, 2)
    assert np.allclose(forecast.positions[0], [[1.8, 1.0], [0.8, 1.0]])
    assert constant_velocity(replace(THINGS, things=THINGS.things[1:]), 10.0, np.ones(1), CONFIG) is None


def test_doubt_grows_as_that_of_the_thing_itself() -> None:
    forecast = constant_velocity(THINGS, 10.0, np.array([0.0, 1.0, 2.0]), CONFIG)
    assert forecast is not None
    for k, seconds in enumerate((0.0, 1.0, 2.0)):
        later = STROLLER.after(seconds, CONFIG.wander)
        assert forecast.deviations[0, k] == pytest.approx(np.sqrt(later.covariance[0, 0]))


def test_a_forecast_is_seen_from_the_robot() -> None:
    forecast = constant_velocity(THINGS, 10.0, np.array([0.0, 1.0]), CONFIG)
    assert forecast is not None
    here = forecast.seen_from(np.array([2.0, 0.0, np.pi / 2]))
    assert np.allclose(here.positions[0], [[1.0, 0.0], [1.0, 1.0]]) and here.headings[0] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize(("age", "holds"), [(0.0, True), (0.5, True), (1.0, False), (-0.1, True), (-1.0, False)])
def test_tracks_of_another_time_do_not_count(age: float, holds: bool) -> None:
    assert (usable(THINGS, 10.0 + age) is not None) is holds
    assert usable(None, 10.0) is None


PRINTS = FootprintsConfig()

POSE, ODOMETRY = np.array([4.0, 2.0, 1.0]), np.array([-1.0, 0.5, -0.4])


def at(x: float, y: float, number: int = 1, speed: float = 0.8) -> MovingThings:
    """Something in odom, `x` ahead and `y` to the left of the robot, that goes on ahead."""
    place = compose(ODOMETRY, np.array([x, y, 0.0]))
    velocity = speed * np.array([np.cos(ODOMETRY[2]), np.sin(ODOMETRY[2])])
    return MovingThings(0.0, (MovingThing(number, place[:2], velocity, np.eye(4), 0.3),))


def in_map(x: float, y: float) -> np.ndarray:
    return compose(POSE, np.array([x, y, 0.0]))[None, :2]


def test_a_footprint_lies_where_a_thing_is_and_where_it_came_from() -> None:
    prints = Footprints()
    prints.add(at(2.0, 0.0), 0.0, POSE, ODOMETRY)
    for x in (2.0, 1.5, 1.1):
        assert prints.within(in_map(x, 0.0))[0]
    assert not prints.within(in_map(3.0, 0.0))[0] and not prints.within(in_map(2.0, 0.3 + PRINTS.beside + 0.05))[0]
    assert prints.within(in_map(2.0, 0.3 + PRINTS.beside + 0.05), margin=0.1)[0]


def test_who_walks_on_leaves_more_and_who_stands_does_not() -> None:
    prints = Footprints()
    for k in range(50):
        prints.add(at(2.0 + 0.001 * k, 0.0), 0.1 * k, POSE, ODOMETRY)
    stands = len(prints.discs())
    prints.add(at(2.5, 0.0), 5.0, POSE, ODOMETRY)
    assert len(prints.discs()) == stands + 1


def test_footprints_fade_and_are_never_too_many() -> None:
    prints = Footprints()
    for k in range(2 * PRINTS.most):
        prints.add(at(2.0, 0.0, k), 1e-3 * k, POSE, ODOMETRY)
    assert len(prints.discs()) <= PRINTS.most
    prints.add(None, PRINTS.lasts + 1.0, POSE, ODOMETRY)
    assert not len(prints.discs()) and not prints.within(in_map(2.0, 0.0))[0]
    prints.add(at(2.0, 0.0), 50.0, POSE, ODOMETRY)
    prints.add(None, 10.0, POSE, ODOMETRY)  # time was turned back
    assert not len(prints.discs())
