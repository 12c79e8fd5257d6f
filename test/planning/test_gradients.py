"""Gradients for solvers that descend: those of the costs that the search weighs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.disc import Disc
from ami_ros.planning.array_module import ArrayOrTensor, get_array_module
from ami_ros.planning.costs.registry import Costs, CostsConfig
from ami_ros.planning.gradients import TorchGradients
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Scene, Target
from ami_ros.share import share
from ami_ros.world_model.arrays import Floats
from ami_ros.world_model.inference_loading import load_inference
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.on_tensors import on_tensors
from harness.exact_model import OMNIDIRECTIONAL, ExactModel, latent_of

from .conftest import scan_of_points

STEP = 1e-2  # of the finite differences, in units of the commands; rounding spoils smaller ones
POSE = Target(None, np.array([0.8, 0.3, 2.9]), True)  # no path comes near this heading, where its cost has a corner
WALL = scan_of_points(np.column_stack([np.full(41, 0.9), np.linspace(-1.0, 1.0, 41)]))


def both(scene: Scene, latent: Floats) -> tuple[Imagination, TorchGradients]:
    """Costs at a moment as a search weighs them, and as one descends them."""
    model, costs = scene.dynamics, Costs(CostsConfig())
    imagination = Imagination(model, latent, (0.1, 0.2), costs.at(scene))
    tensors = on_tensors(model)
    assert tensors is not None
    return imagination, TorchGradients(imagination, tensors, costs.at(replace(scene, dynamics=tensors)))


def differences(imagination: Imagination, actions: Floats) -> Floats:
    """Of the costs (batch,) of actions (batch, steps, width), by central differences of each number."""
    found = np.zeros_like(actions)
    for step in range(actions.shape[1]):
        for number in range(actions.shape[2]):
            moved = np.zeros_like(actions)
            moved[:, step, number] = STEP
            ahead, behind = imagination.evaluate(actions + moved), imagination.evaluate(actions - moved)
            found[:, step, number] = (ahead - behind) / (2 * STEP)
    return found


def some_actions(width: int = 2) -> Floats:
    """Forwards, where the cost of smoothness has no corner, and away from the bounds."""
    rng = np.random.default_rng(0)
    ahead, others = rng.uniform(0.05, 0.35, (8, 5, 1)), rng.uniform(-0.9, 0.9, (8, 5, width - 1))
    return np.concatenate([ahead, others], -1).astype(np.float32)


@pytest.mark.parametrize("model", [ExactModel(), ExactModel(OMNIDIRECTIONAL)])
def test_they_are_those_of_the_costs_that_a_search_weighs(model: ExactModel) -> None:
    robot = Kinematics(model.spec.drive)
    imagination, gradients = both(Scene(model, robot, Disc(0.18), POSE), latent_of([0.0, 0.0, 0.0]))
    actions = some_actions(robot.width)
    cost, slope = gradients(actions)
    assert cost.dtype == slope.dtype == np.float32 and slope.shape == actions.shape
    np.testing.assert_allclose(cost, imagination.evaluate(actions), atol=1e-5)
    np.testing.assert_allclose(slope, differences(imagination, actions), atol=2e-3)
    assert np.abs(slope).max() > 0.3


def test_those_of_a_learned_model_are_too() -> None:
    model, rng = load_inference(share("models", "general")).model, np.random.default_rng(0)
    here, goal = rng.normal(size=(2, model.spec.latent_dim)).astype(np.float32)
    scene = Scene(model, Kinematics(), Disc(0.18), Target(goal, None, True))
    imagination, gradients = both(scene, here)
    actions = some_actions()
    cost, slope = gradients(actions)
    np.testing.assert_allclose(cost, imagination.evaluate(actions), atol=1e-3)
    np.testing.assert_allclose(slope, differences(imagination, actions), atol=0.02, rtol=0.02)


def test_what_was_seen_has_its_part_in_them() -> None:
    model = ExactModel()
    scene = Scene(model, Kinematics(), Disc(0.18), POSE, WALL, np.array([[0.5, 0.3, 0.1]]))
    imagination, gradients = both(scene, latent_of([0.0, 0.0, 0.0]))
    assert {"obstacles", "keep_away"} <= set(imagination.costs)
    actions = some_actions()
    cost, slope = gradients(actions)
    np.testing.assert_allclose(cost, imagination.evaluate(actions), atol=1e-4)
    lower = gradients(actions - 0.02 * slope / np.linalg.norm(slope, axis=(1, 2), keepdims=True))[0]
    assert (lower < cost).mean() > 0.8, "downhill leads down but where a path begins to touch"


def test_asking_for_them_changes_neither_the_actions_nor_the_answer() -> None:
    _, gradients = both(Scene(ExactModel(), Kinematics(), Disc(0.18), POSE), latent_of([0.0, 0.0, 0.0]))
    actions = some_actions()
    before = actions.copy()
    first, second = gradients(actions), gradients(actions[::-1])
    np.testing.assert_array_equal(actions, before)
    for once, again in zip(first, second, strict=True):
        np.testing.assert_allclose(once, again[::-1], atol=1e-6)


class Bad(ExactModel):
    """Fails for whatever turns left at once: gives `value` there."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def step(
        self, latent: ArrayOrTensor, chunk: ArrayOrTensor, previous: ArrayOrTensor
    ) -> tuple[ArrayOrTensor, ArrayOrTensor]:
        xp = get_array_module(latent)
        latents, motions = super().step(latent, chunk, previous)
        return latents, xp.where((chunk[:, 0, 1] > 0)[:, None], self.value, motions)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_future_that_is_not_finite_has_an_infinite_cost_and_no_slope(value: float) -> None:
    imagination, gradients = both(Scene(Bad(value), Kinematics(), Disc(0.18), POSE), latent_of([0.0, 0.0, 0.0]))
    actions = some_actions()
    actions[:, :, 1] = -0.5
    actions[::2, 0, 1] = 0.5
    cost, slope = gradients(actions)
    assert (cost[::2] == np.inf).all() and (slope[::2] == 0).all()
    assert np.isfinite(cost[1::2]).all() and np.isfinite(slope).all() and (slope[1::2] != 0).any((1, 2)).all()
    np.testing.assert_allclose(cost, imagination.evaluate(actions), atol=1e-5)


def test_where_no_future_is_finite_there_is_no_slope_at_all() -> None:
    _, gradients = both(Scene(Bad(np.nan), Kinematics(), Disc(0.18), POSE), latent_of([0.0, 0.0, 0.0]))
    cost, slope = gradients(np.full((3, 4, 2), 0.3, np.float32))
    assert (cost == np.inf).all() and (slope == 0).all()


def test_no_parameter_of_the_model_gathers_gradients() -> None:
    model, rng = load_inference(share("models", "general")).model, np.random.default_rng(0)
    here, goal = rng.normal(size=(2, model.spec.latent_dim)).astype(np.float32)
    _, gradients = both(Scene(model, Kinematics(), Disc(0.18), Target(goal, None, True)), here)
    gradients(some_actions())
    assert isinstance(gradients._model, WorldModel)
    assert all(parameter.grad is None for parameter in gradients._model.parameters())
