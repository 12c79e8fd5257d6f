"""What was found best is not imagined again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.geometry import Disc
from ami_ros.planning.costs import Costs, CostsConfig
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Scene, Target
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from harness.exact_model import ArrayOrTensor, ExactModel, latent_of

from .conftest import UNHURRIED

AHEAD = Target(latent_of([1.0, 0.0, 0.0]), None, True)
HERE = latent_of([0.0, 0.0, 0.0])


class Counting(ExactModel):
    """Knows how large the batches were that it imagined."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def rollout(
        self, latent: ArrayOrTensor, commands: ArrayOrTensor, previous: ArrayOrTensor
    ) -> tuple[ArrayOrTensor, ArrayOrTensor]:
        self.batches.append(len(latent))
        return super().rollout(latent, commands, previous)


def imagination(model: ExactModel) -> Imagination:
    scene = Scene(model, Kinematics(), Disc(0.18), AHEAD)
    return Imagination(model, HERE, (0.1, 0.0), Costs(CostsConfig()).at(scene))


def test_the_best_is_remembered_and_others_are_imagined() -> None:
    model = Counting()
    asked, fresh = imagination(model), imagination(model)
    batches = np.random.default_rng(0).uniform(0.0, 0.4, (3, 8, 4, 2)).astype(np.float32)
    costs = np.stack([asked.evaluate(batch) for batch in batches])
    best, other = batches.reshape(24, 4, 2)[costs.argmin()], batches[0][costs[0].argmax()]
    model.batches.clear()
    found = asked.foresee(best)
    assert not model.batches
    for actions in (best, other):
        again, wanted = asked.foresee(actions), fresh.foresee(actions)
        np.testing.assert_allclose(again.poses, wanted.poses, atol=1e-6)
        np.testing.assert_allclose(again.terms, wanted.terms, atol=1e-6)
    assert float(found.terms.sum()) == pytest.approx(costs.min())


def test_what_is_not_finite_is_never_remembered() -> None:
    asked = imagination(ExactModel())
    actions = np.full((3, 4, 2), 0.2, np.float32)
    actions[0] = np.nan
    assert asked.evaluate(actions)[0] == np.inf
    assert np.isfinite(asked.foresee(actions[1]).poses).all()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_plan_imagines_nothing_twice(name: str) -> None:
    model = Counting()
    LatentPlanner(model, replace(UNHURRIED, solver=SolverConfig(name))).plan(0.0, HERE, (0.0, 0.0), None, AHEAD)
    assert 1 not in model.batches
