"""What was found best is not imagined again; and plans by geometry alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.geometry import Array, Disc, compose
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import Costs, CostsConfig
from ami_ros.planning.imagination import GeometricConfig, GeometricProposals, Imagination, displacements
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Scene, SearchSize, Target
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from ami_ros.world_model.layers import Floats
from harness.exact_model import OMNIDIRECTIONAL, ArrayOrTensor, ExactModel, latent_of

from .conftest import NOTHING, UNHURRIED, scan_of_points

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


# Plans by geometry alone, from which the search with the model begins


STEPS = 7
ORIGIN = latent_of([0.0, 0.0, 0.0])
PLANNER = PlannerConfig()


def proposed(
    model: ExactModel,
    goal: Array | None,
    latent: np.ndarray | None = None,
    scan: Scan = NOTHING,
    robot: Kinematics | None = None,
    config: GeometricConfig | None = None,
    planner: PlannerConfig = PLANNER,
) -> Floats:
    robot = robot or Kinematics()
    target = Target(None if latent is None else latent.astype(np.float32), goal, True)
    scene = Scene(model, robot, planner.disc, target, scan)
    imagination = Imagination(model, ORIGIN, (0.0, 0.0), Costs(planner.costs).at(scene))
    geometric = GeometricProposals(config or planner.geometric, planner.costs.latent_goal, seed=0)
    return geometric.propose(imagination, scene, robot, STEPS, math.inf)


def led_to(model: ExactModel, actions: Floats) -> Floats:
    """The poses (n, steps, 3) that the model expects."""
    return np.asarray(Imagination(model, ORIGIN, (0.0, 0.0), {}).imagine(actions).poses)


@pytest.mark.parametrize("command", [(0.4, 0.0, 0.0), (0.3, 1.2, 0.0), (0.0, -1.0, 0.0), (0.2, 0.8, 0.3)])
def test_displacements_are_chords_of_the_arcs_that_were_commanded(command: tuple[float, float, float]) -> None:
    pose, part = np.zeros(3), np.array([command[0], command[2], command[1]]) * 0.6 / 1000
    for _ in range(1000):
        pose = compose(pose, part)
    found = displacements(np.array([[command]], np.float32), 0.6)[0, 0]
    np.testing.assert_allclose(found, pose, atol=1e-3)


@pytest.mark.parametrize("goal", [[1.2, 0.4, 0.5], [0.5, -0.3, -1.0], [-0.3, 0.0, 0.0]])
def test_the_best_one_ends_at_the_goal(model: ExactModel, goal: list[float]) -> None:
    first = proposed(model, np.array(goal))[:1]
    end = led_to(model, first)[0, -1]
    assert np.hypot(*(end - goal)[:2]) < 0.2 and abs(end[2] - goal[2]) < 0.5


def test_a_goal_that_only_a_latent_tells_is_seen_by_the_models_own_head(model: ExactModel) -> None:
    goal = np.array([0.9, 0.3, 0.4])
    np.testing.assert_allclose(proposed(model, None, latent_of(goal)), proposed(model, goal), atol=0.02)


def test_it_keeps_off_what_the_scan_sees(model: ExactModel) -> None:
    goal, wall = np.array([1.5, 0.0, 0.0]), np.stack([np.full(40, 0.7), np.linspace(-0.3, 0.3, 40)], 1)
    blind, seeing = (led_to(model, proposed(model, goal, scan=scan)[:1])[0] for scan in (NOTHING, scan_of_points(wall)))
    nearest = [np.hypot(*(way[:, None, :2] - wall).transpose(2, 0, 1)).min() for way in (blind, seeing)]
    assert nearest[0] < 0.15 and nearest[1] > PLANNER.robot_radius


def test_it_stays_within_the_limits_of_the_moment(model: ExactModel) -> None:
    turning = proposed(model, np.array([0.0, 0.0, 1.5]), robot=Kinematics().limited(0.0, 0.7))
    assert (turning[..., 0] == 0).all() and 0.6 < float(turning[0, :, 1].max()) <= 0.7


def test_a_robot_that_can_drives_sideways() -> None:
    model, robot = ExactModel(OMNIDIRECTIONAL), Kinematics("omnidirectional")
    first = proposed(model, np.array([0.0, 0.9, 0.0]), robot=robot)[:1]
    end = led_to(model, first)[0, -1]
    assert np.hypot(*(end - [0.0, 0.9, 0.0])[:2]) < 0.2 and float(first[0, :, 2].max()) > 0.2


def test_there_is_none_where_it_is_switched_off_or_the_goal_cannot_be_seen(model: ExactModel) -> None:
    goal = np.array([1.0, 0.0, 0.0])
    assert proposed(model, goal, config=GeometricConfig(proposals=0)).shape == (0, STEPS, 2)
    assert proposed(model, None, np.full(4, np.nan)).shape == (0, STEPS, 2)
    three = proposed(model, goal, config=GeometricConfig(proposals=3))
    assert three.shape == (3, STEPS, 2) and three.dtype == np.float32


@pytest.mark.parametrize("wrong", [{"proposals": -1}, {"samples": 1}, {"iterations": 0}])
def test_a_search_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 2 samples"):
        GeometricConfig(**wrong)


def test_a_search_that_begins_with_it_has_a_better_plan_of_as_many_imagined_futures(model: ExactModel) -> None:
    target = Target(latent_of([0.9, -0.5, -1.2]), None, True)
    small = replace(PLANNER, deadline=60.0, solver=SolverConfig(samples=24, iterations=1, adapt=False))
    planners = [LatentPlanner(model, replace(small, geometric=GeometricConfig(proposals=n))) for n in (0, 4)]
    without, begun = (p.plan(0.0, ORIGIN, (0.0, 0.0), NOTHING, target) for p in planners)
    assert begun.evaluated == without.evaluated == SearchSize(24, 1, STEPS).samples
    assert begun.cost < without.cost - 0.1
