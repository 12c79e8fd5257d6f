"""Where others will be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings, PredictionConfig, constant_velocity, usable

WALKER = MovingThing(
    1, np.array([2.0, 1.0]), np.array([-1.0, 0.0]), np.diag([0.01, 0.01, 0.04, 0.04]), 0.3, Kind.PERSON
)
THINGS = MovingThings(10.0, (WALKER, replace(WALKER, id=2, velocity=np.array([0.1, 0.1]))))
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
        later = WALKER.after(seconds, CONFIG.wander)
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
