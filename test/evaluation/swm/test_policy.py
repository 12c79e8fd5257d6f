"""Our planner as a policy of an environment, and the energy that a solver of theirs is given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ami_ros.evaluation.swm.policy import Energies, LatentPolicy
from ami_ros.evaluation.swm.tasks import FRAME_SKIP, PIXELS, TASKS
from ami_ros.planning.solvers.registry import SolverConfig
from ami_ros.world_model.model import WorldModel

SEARCH = SolverConfig(samples=32, iterations=2, adapt=False)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    torch.manual_seed(0)
    model = WorldModel(TASKS["TwoRoom"].training.spec).eval().requires_grad_(False)
    for parameter in model.predictor.parameters():  # it begins where actions do not matter
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def make_info(count: int, seed: int = 0) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    shape = (count, 1, PIXELS, PIXELS, 3)
    return {name: rng.integers(0, 255, shape, np.uint8) for name in ("pixels", "goal")}


def make_policy(model: WorldModel, environments: int) -> LatentPolicy:
    policy = LatentPolicy(model, TASKS["TwoRoom"].costs, 0, horizon=3, solver=SEARCH)
    policy.set_env(SimpleNamespace(num_envs=environments))
    return policy


def test_actions_lie_in_their_range_and_each_environment_has_its_own(model: WorldModel) -> None:
    policy = make_policy(model, 3)
    actions = policy.get_action(make_info(3))
    assert actions.shape == (3, 2)
    assert np.abs(actions).max() <= 1
    assert len(np.unique(actions, axis=0)) == 3
    assert len(policy.seconds) == 3


def test_an_environment_that_is_done_gets_no_action(model: WorldModel) -> None:
    actions = make_policy(model, 2).get_action(make_info(2) | {"terminated": np.array([[True], [False]])})
    assert np.isnan(actions[0]).all()
    assert np.isfinite(actions[1]).all()


def test_a_solver_of_theirs_sees_one_cost_for_each_candidate_and_encodes_once(model: WorldModel) -> None:
    energies = Energies(model, TASKS["TwoRoom"].costs)
    info = {k: torch.from_numpy(v)[:, None].expand(-1, 6, *v.shape[1:]) for k, v in make_info(2).items()}  # type: ignore[attr-defined]
    candidates = torch.randn(2, 6, 5, 2 * FRAME_SKIP)
    costs = energies.get_cost(info, candidates)
    assert costs.shape == (2, 6)
    assert len(costs.unique()) == 12
    kept = info["latent"]
    energies.get_cost(info, candidates)
    assert info["latent"] is kept


def test_actions_out_of_range_cost_what_the_environment_makes_of_them(model: WorldModel) -> None:
    energies = Energies(model, TASKS["TwoRoom"].costs)
    info = {k: torch.from_numpy(v)[:, None].expand(-1, 1, *v.shape[1:]) for k, v in make_info(1).items()}  # type: ignore[attr-defined]
    far = torch.full((1, 1, 5, 2 * FRAME_SKIP), 7.0)
    torch.testing.assert_close(energies.get_cost(info, far), energies.get_cost(info, far.clamp(-1, 1)))
