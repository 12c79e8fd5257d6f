"""The cost of being where others may be."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ami_ros.core.geometry import Disc
from ami_ros.planning.costs import People, PeopleConfig, times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Futures, Scene, Target
from ami_ros.safety.moving_things import Forecast
from harness.exact_model import ExactModel

STEPS, DURATION = 4, 0.6
CONFIG = PeopleConfig()


def forecast(start: tuple[float, float], velocity: tuple[float, float], deviation: float = 0.1) -> Forecast:
    """Of one who goes on from `start` at `velocity`."""
    seconds = times(STEPS, DURATION)
    positions = np.array(start) + seconds[:, None] * np.array(velocity)
    speed = float(np.hypot(*velocity))
    return Forecast(
        seconds, positions[None], np.full((1, len(seconds)), deviation), np.array([np.arctan2(*velocity[::-1])]),
        np.array([speed]), np.array([0.3]),
    )  # fmt: skip


def cost_of(found: Forecast | None, model: ExactModel, config: PeopleConfig = CONFIG) -> People:
    scene = Scene(model, Kinematics(), Disc(0.18), Target(None, np.zeros(3), True), forecast=found)
    cost = People.build(config, scene)
    assert cost is not None
    return cost


def driving(*speeds: float) -> Futures:
    """Futures that drive straight on at `speeds` [m/s]."""
    ends = DURATION * np.arange(1, STEPS + 1)
    poses = np.zeros((len(speeds), STEPS, 3), np.float32)
    poses[..., 0] = np.array(speeds)[:, None] * ends
    none = np.zeros((len(speeds), STEPS, 2), np.float32)
    return Futures(none, none[0, 0], none, poses, none[0, 0])


def test_a_robot_waits_for_who_crosses_rather_than_meets_them(model: ExactModel) -> None:
    cost = cost_of(forecast((0.6, -1.3), (0.0, 1.0)), model)  # on the robot's way after 1.3 s
    stands, meets = cost(driving(0.0, 0.45))
    assert stands + 2.0 < meets


def test_who_has_gone_is_no_longer_where_they_were(model: ExactModel) -> None:
    leaves = cost_of(forecast((0.8, 0.0), (1.0, 0.0)), model)(driving(0.4))[0]
    comes = cost_of(forecast((0.8, 0.0), (-1.0, 0.0)), model)(driving(0.4))[0]
    assert leaves < 0.5 < 3.0 < comes


def test_it_costs_more_to_pass_before_somebody_than_behind(model: ExactModel) -> None:
    towards = cost_of(forecast((1.2, 0.9), (-0.3, 0.0)), model)(driving(0.0))[0]
    away = cost_of(forecast((1.2, 0.9), (0.3, 0.0)), model)(driving(0.0))[0]
    assert away < towards


def test_who_comes_straight_at_it_is_fled_from_although_they_are_faster(model: ExactModel) -> None:
    cost = cost_of(forecast((0.9, 0.0), (-1.0, 0.0)), model)
    stands, flees, faster, meets = cost(driving(0.0, -0.15, -0.3, 0.2))
    assert faster + 0.3 < flees and flees + 0.3 < stands < meets


def test_a_wide_doubt_makes_a_certain_touch_less_certain_and_a_miss_less_sure(model: ExactModel) -> None:
    def at(start: tuple[float, float], deviation: float) -> float:
        config = PeopleConfig(weight=0.0)
        return float(cost_of(forecast(start, (0.0, 0.3), deviation), model, config)(driving(0.0))[0])

    assert at((0.2, -0.4), 0.05) == pytest.approx(CONFIG.contact, rel=0.02) and (
        at((0.2, -0.4), 0.8) < CONFIG.contact / 2
    )
    assert at((1.5, -0.4), 0.05) < 0.01 < at((1.5, -0.4), 0.8)


def test_nothing_that_moves_near_by_is_no_cost(model: ExactModel) -> None:
    target = Target(None, np.zeros(3), True)
    for nobody in (None, forecast((9.0, 0.0), (1.0, 0.0))):
        assert People.build(CONFIG, Scene(model, Kinematics(), Disc(0.18), target, forecast=nobody)) is None


def test_a_shorter_horizon_weighs_its_own_moments(model: ExactModel) -> None:
    cost, whole = cost_of(forecast((0.6, -1.3), (0.0, 1.0)), model), driving(0.45)
    short = Futures(whole.commands[:, :1], whole.previous, whole.latents[:, :1], whole.poses[:, :1], whole.start)
    assert cost(short)[0] < cost(whole)[0]  # the meeting is later


def test_eight_people_cost_less_than_four_milliseconds_a_batch(model: ExactModel) -> None:
    one = forecast((1.0, 0.5), (0.3, 0.1))
    eight = Forecast(
        one.seconds, one.positions.repeat(8, 0), one.deviations.repeat(8, 0), one.headings.repeat(8),
        one.speeds.repeat(8), one.radii.repeat(8),
    )  # fmt: skip
    cost, futures = cost_of(eight, model), driving(*np.linspace(0, 0.4, 128))
    cost(futures)
    began = time.process_time()
    for _ in range(10):
        cost(futures)
    assert (time.process_time() - began) / 10 < 0.004
