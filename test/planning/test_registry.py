"""Which costs there are at a moment: those that are enabled and have something to say."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from ami_ros.core.config import from_mapping
from ami_ros.core.geometry import Disc
from ami_ros.planning.costs import BUILT_IN, Costs, CostsConfig, times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Futures, Scene, Target
from ami_ros.safety.moving_things import Forecast
from harness.exact_model import ExactModel, latent_of

from .conftest import scan_of_points

GOAL = np.array([1.0, 0.3, 0.5])
HERE = latent_of([0.0, 0.0, 0.0])
EVERYTHING = {name: {"enabled": True} for name in BUILT_IN}


@pytest.fixture(scope="module")
def model() -> ExactModel:
    return ExactModel()


def scene(model: ExactModel) -> Scene:
    """A wall ahead, a goal before it, a place to keep away from beside the way, and somebody who crosses it."""
    wall = scan_of_points(np.column_stack([np.full(41, 1.2), np.linspace(-1.0, 1.0, 41)]))
    target = Target(latent_of(GOAL), GOAL, True)
    seconds = times(3, model.spec.step_duration)
    walker = Forecast(
        seconds, np.array([[0.9, -0.5]]) + seconds[None, :, None] * [0.0, 0.4], np.full((1, 6), 0.2),
        np.array([np.pi / 2]), np.array([0.4]), np.array([0.3]),
    )  # fmt: skip
    return Scene(model, Kinematics(), Disc(0.18), target, wall, np.array([[0.5, 0.2, 0.1]]), walker)


def fast_ahead() -> Futures:
    """One future that every cost has something against."""
    poses = np.array([[[0.3, 0.0, 0.0], [0.6, 0.1, 0.3], [1.0, 0.2, 0.4]]], np.float32)
    commands = np.array([[[0.4, 0.0], [0.4, 1.4], [0.4, -1.4]]], np.float32)
    return Futures(commands, np.zeros(2, np.float32), latent_of(poses), poses, HERE)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_cost_counts_by_its_weight(model: ExactModel, name: str) -> None:
    once, thrice = (
        Costs(from_mapping(CostsConfig, {name: {"enabled": True, "weight": weight}})).at(scene(model))[name](
            fast_ahead()
        )
        for weight in (1.0, 3.0)
    )
    assert once.shape == (1,) and once[0] > 0
    if name in ("obstacles", "keep_away", "people"):  # touching has a price of its own
        assert thrice > once
    else:
        np.testing.assert_allclose(thrice, 3 * once, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_disabled_cost_is_not_there(model: ExactModel, name: str) -> None:
    all_but_one = from_mapping(CostsConfig, {**EVERYTHING, name: {"enabled": False}})
    assert set(Costs(all_but_one).at(scene(model))) == set(BUILT_IN) - {name}


def test_costs_that_know_nothing_of_the_moment_keep_silent(model: ExactModel) -> None:
    costs = Costs(from_mapping(CostsConfig, EVERYTHING))
    blind = Scene(model, Kinematics(), Disc(0.18), Target(latent_of(GOAL), None, True))
    assert set(costs.at(blind)) == {
        "latent_goal", "smoothness"
    }  # fmt: skip


def test_every_cost_of_the_package_has_its_group_of_parameters() -> None:
    assert {field.name for field in fields(CostsConfig)} == {*BUILT_IN, "plugins"}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@pytest.mark.parametrize("middle", [0.0, -0.1])
def test_every_cost_is_in_single_precision(model: ExactModel, name: str, middle: float) -> None:
    """Of futures all over the place, into the wall as well, and of some that are not finite."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0.4, 0.6, (200, 3, 3)).astype(np.float32)
    poses[::50, 1], poses[1::50, 2, 1] = np.nan, np.inf
    commands = rng.uniform(-1.0, 1.0, (200, 3, 2)).astype(np.float32)
    futures = Futures(commands, np.array([0.2, -0.3], np.float32), latent_of(poses), poses, HERE)
    moment = replace(scene(model), disc=Disc(0.18, middle))
    cost = Costs(from_mapping(CostsConfig, EVERYTHING)).at(moment)[name]
    with np.errstate(invalid="ignore"):
        by_arrays = cost(futures)
    assert by_arrays.dtype == np.float32
    assert by_arrays.shape == (200,) and len(np.unique(by_arrays.round(3))) > 20
