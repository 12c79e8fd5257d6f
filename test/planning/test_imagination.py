"""What was found best is not imagined again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ami_ros.disc import Disc
from ami_ros.planning.costs.registry import Costs, CostsConfig
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Scene, Target
from ami_ros.planning.solvers.registry import BUILT_IN, SolverConfig
from harness.exact_model import ExactModel, latent_of

from .conftest import UNHURRIED

AHEAD = Target(latent_of([1.0, 0.0, 0.0]), None, True)
HERE = latent_of([0.0, 0.0, 0.0])


class Counting(ExactModel):
    """Knows how large the batches were that it imagined."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(latent))
        return super().rollout(latent, commands, previous)


def imagination(model: ExactModel) -> Imagination:
    scene = Scene(model, Kinematics(), Disc(0.18), AHEAD)
    return Imagination(model, HERE, (0.1, 0.0), Costs(CostsConfig()).at(scene))


def test_the_best_is_remembered_and_others_are_imagined() -> None:
    model = Counting()
    asked, fresh = imagination(model), imagination(model)
    batches = [torch.rand(8, 4, 2) * 0.4 for _ in range(3)]
    costs = torch.stack([asked.evaluate(batch) for batch in batches])
    best = torch.stack(batches).flatten(0, 1)[int(costs.flatten().argmin())]
    other = batches[0][int(costs[0].argmax())]
    model.batches.clear()
    found = asked.foresee(best)
    assert not model.batches
    for actions in (best, other):
        again, wanted = asked.foresee(actions), fresh.foresee(actions)
        torch.testing.assert_close(again.poses, wanted.poses, atol=1e-6, rtol=0)
        torch.testing.assert_close(again.terms, wanted.terms, atol=1e-6, rtol=0)
    assert float(found.terms.sum()) == pytest.approx(float(costs.min()))


def test_what_is_not_finite_is_never_remembered() -> None:
    asked = imagination(ExactModel())
    actions = torch.full((3, 4, 2), 0.2)
    actions[0] = torch.nan
    asked.evaluate(actions)
    assert asked.foresee(actions[1]).poses.isfinite().all()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_plan_imagines_nothing_twice(name: str) -> None:
    model = Counting()
    LatentPlanner(model, replace(UNHURRIED, solver=SolverConfig(name))).plan(0.0, HERE, (0.0, 0.0), None, AHEAD)
    assert 1 not in model.batches
