"""Solvers and costs of other packages: one file and one entry point, found by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from harness.exact_model import ExactModel, latent_of
from harness.installed import installed

SOLVER = '''
"""A solver that always chooses its first proposal of the speed that it was told."""
from dataclasses import dataclass

from ami_ros.planning.protocols import Solution


@dataclass(frozen=True)
class TinyConfig:
    speed: float = 0.1


class Tiny:
    Config = TinyConfig
    needs_gradient = False

    def __init__(self, size, config, seed):
        self.config = config

    def reset(self):
        pass

    def shift(self, fraction):
        pass

    def solve(self, problem):
        actions = 0 * problem.proposals[:1]
        actions[..., 0] = self.config.speed
        return Solution(actions[0], float(problem.evaluate(actions)[0]), 1)


@dataclass(frozen=True)
class LeftConfig:
    enabled: bool = True
    weight: float = 1.0


class Left:
    """A cost that likes to be far to the left."""

    Config = LeftConfig

    def __init__(self, weight):
        self.weight = weight

    @classmethod
    def build(cls, config, scene):
        return cls(config.weight)

    def __call__(self, futures):
        return -self.weight * futures.poses[:, -1, 1]
'''
ENTRIES = """
[ami_ros.solvers]
tiny = tiny_ami_plugin:Tiny
broken = tiny_ami_plugin:Missing

[ami_ros.costs]
left = tiny_ami_plugin:Left
"""
ORIGIN = latent_of([0.0, 0.0, 0.0])
AHEAD = Target(latent_of([1.0, 0.0, 0.0]), None, True)


@pytest.fixture(autouse=True)
def distribution(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path, "tiny_ami_plugin", SOLVER, ENTRIES):
        yield


def planner(**values: object) -> LatentPlanner:
    return LatentPlanner(ExactModel(), from_mapping(PlannerConfig, {"deadline": 60.0, **values}))


def test_a_solver_of_another_package_plans() -> None:
    plan = planner(solver={"name": "tiny"}).plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    np.testing.assert_allclose(plan.commands, np.tile([0.1, 0.0], (len(plan.commands), 1)), atol=1e-6)
    assert plan.evaluated == 1


def test_it_gets_its_own_options() -> None:
    found = planner(solver={"name": "tiny", "options": ["speed=0.25"]}).plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    assert found.commands[0, 0] == pytest.approx(0.25)


def test_a_cost_of_another_package_is_weighed_with_the_rest() -> None:
    plan = planner(costs={"plugins": ["left weight=5"]}).plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    assert plan.poses[-1, 1] > 0.3
    assert "left" in {share.name for share in plan.shares}


def test_a_cost_of_another_package_can_be_disabled() -> None:
    plan = planner(costs={"plugins": ["left enabled=false"]}).plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    assert "left" not in {share.name for share in plan.shares}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"solver": {"name": "tinny"}}, "no 'tinny'.*icem.*tiny"),
        ({"solver": {"name": "broken"}}, "'broken' of tiny_ami_plugin:Missing cannot be imported"),
        ({"solver": {"name": "tiny", "options": ["speed"]}}, "'speed' of 'tiny' is not of the form key=value"),
        ({"solver": {"name": "tiny", "options": ["sped=1"]}}, "unknown key 'sped'; known are speed"),
        ({"solver": {"name": "icem", "options": ["elites=3"]}}, "icem has parameters of its own"),
        ({"costs": {"plugins": ["right"]}}, "no 'right'.*obstacles.*left"),
        ({"costs": {"plugins": ["obstacles weight=2"]}}, "comes with ami_ros; set its parameters costs.obstacles"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(AmiError, match=message) as error:
        planner(**values)
    assert "\n" not in str(error.value)
