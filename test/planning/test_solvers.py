"""The searches: each finds optima, keeps bounds and deadlines, and remembers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from ami_ros.planning.kinematics import Drive, Kinematics
from ami_ros.planning.protocols import Problem, SearchSize, Solver, no_proposals
from ami_ros.planning.solvers import BUILT_IN, Icem, IcemConfig, SolverConfig, coloured_noise, make_solver
from ami_ros.world_model.layers import Floats

ROBOT = Kinematics("differential", 0.5, 0.2, 1.5)
LOW, HIGH = ROBOT.low, ROBOT.high
STEPS = 4
NONE = no_proposals(STEPS)
ALL = sorted(BUILT_IN)

Cost = Callable[[Floats], Floats]  # of actions (batch, steps, 2): (batch,)


def solver(name: str, samples: int = 128, iterations: int = 12, seed: int = 0) -> Solver:
    return make_solver(SolverConfig(name), SearchSize(samples, iterations, STEPS), seed)


def problem(cost: Cost, proposals: Floats = NONE, deadline: float = math.inf, robot: Kinematics = ROBOT) -> Problem:
    return Problem(cost, robot, proposals, deadline)


class Batch(NamedTuple):
    """What a solver asked at a time."""

    actions: Floats
    cost: Floats


def watched(asked: Problem) -> tuple[Problem, list[Batch]]:
    """The problem, and what is asked of it from now on."""
    batches: list[Batch] = []

    def evaluate(actions: Floats) -> Floats:
        batches.append(Batch(actions.copy(), asked.evaluate(actions)))
        return batches[-1].cost

    return replace(asked, evaluate=evaluate), batches


def bottom(target: list[float] | Floats) -> Floats:
    """Targets (steps, 2) or (2,) -> the cost function's optimum (steps, 2)."""
    return np.broadcast_to(np.array(target, np.float32), (STEPS, 2)).copy()


def cost_of(target: list[float] | Floats) -> Cost:
    def cost(actions: Floats) -> Floats:
        return np.square((actions - np.asarray(bottom(target))) / np.asarray(HIGH - LOW)).sum((1, 2))

    return cost


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("target", [[0.3, -0.8], [0.0, 0.0], [-0.15, 1.4]])
def test_it_finds_the_bottom_of_a_bowl(name: str, target: list[float]) -> None:
    found = solver(name).solve(problem(cost_of(target)))
    assert found.actions.shape == (STEPS, 2) and found.cost < 0.02
    np.testing.assert_allclose(found.actions, bottom(target), atol=0.25)


@pytest.mark.parametrize("name", ALL)
def test_it_finds_a_bottom_that_lies_on_the_bounds(name: str) -> None:
    found = solver(name).solve(problem(cost_of([9.0, -9.0])))
    assert (np.abs(found.actions - [0.5, -1.5]) / (HIGH - LOW)).max() < 0.2


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_of_two_valleys_it_takes_the_deeper(name: str, seed: int) -> None:
    shallow, deep = cost_of([0.1, 0.7]), cost_of([0.3, -0.7])
    both = problem(lambda a: np.minimum(shallow(a) + 0.5, deep(a)))
    found = solver(name, seed=seed).solve(both)
    assert found.cost < 0.1 and found.actions[:, 1].mean() < -0.4


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("drive", ["differential", "ackermann"])
def test_every_candidate_is_one_that_the_robot_can_carry_out(name: str, drive: Drive) -> None:
    robot, far = replace(ROBOT, drive=drive), np.full((3, STEPS, 2), 100.0, np.float32)
    asked, batches = watched(problem(lambda a: -abs(a).sum((1, 2)), far, robot=robot))
    found = solver(name).solve(asked)
    everything = np.concatenate([*(batch.actions for batch in batches), found.actions[None]])
    np.testing.assert_allclose(robot.project(everything), everything, atol=1e-6)
    assert everything.dtype == np.float32


@pytest.mark.parametrize("name", ALL)
def test_a_lower_limit_holds_for_one_call(name: str) -> None:
    search = solver(name)
    slow, fast = ROBOT.limited(0.1, 0.3), ROBOT
    assert np.abs(search.solve(problem(lambda a: -a[..., 0].sum(1), robot=slow)).actions).max() <= 0.3 + 1e-6
    assert search.solve(problem(lambda a: -a[..., 0].sum(1), robot=fast)).actions[:, 0].min() > 0.35


@pytest.mark.parametrize("name", ALL)
def test_when_the_deadline_has_passed_one_batch_is_weighed_and_the_best_of_it_returned(name: str) -> None:
    asked, batches = watched(problem(cost_of([0.3, 0.3]), deadline=time.perf_counter() - 1.0))
    found = solver(name, 64, 50).solve(asked)
    assert len(batches) == 1 and found.cost == batches[0].cost.min()


def test_a_batch_that_would_end_after_the_deadline_is_not_begun() -> None:
    batches = []

    def evaluate(actions: Floats) -> Floats:
        batches.append(len(actions))
        time.sleep(0.05)
        return np.asarray(actions.sum((1, 2)))

    solver("icem", 8, 50).solve(problem(evaluate, deadline=time.perf_counter() + 0.075))
    assert len(batches) == 1


@pytest.mark.parametrize("name", ALL)
def test_no_search_evaluates_more_than_its_size(name: str) -> None:
    asked, batches = watched(problem(cost_of(HIGH)))
    found = solver(name, 64, 6).solve(asked)
    weighed = sum(len(batch.actions) for batch in batches)
    assert found.evaluated == weighed and 0.75 * 64 * 6 <= weighed <= 64 * 6


@pytest.mark.parametrize("name", ALL)
def test_a_warm_start_goes_on_where_the_last_search_ended(name: str) -> None:
    search, bowl = solver(name, 40, 1), problem(cost_of([0.33, -0.77]))
    costs = [search.solve(bowl).cost for _ in range(12)]
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.7 * costs[0]
    search.reset()
    assert search.solve(bowl).cost > costs[-1]


@pytest.mark.parametrize("name", ALL)
def test_a_good_proposal_is_never_lost(name: str) -> None:
    target = [0.123, 0.456]
    found = solver(name, iterations=1).solve(problem(cost_of(target), bottom(target)[None]))
    assert found.cost < 1e-9
    np.testing.assert_allclose(found.actions, bottom(target), rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_future_whose_cost_is_not_finite_is_never_chosen(name: str, bad: float) -> None:
    """Everything that turns left goes wrong, and would be best."""
    good = cost_of([0.2, 1.0])

    found = solver(name).solve(problem(lambda a: np.where(a[:, 0, 1] > 0, bad, good(a))))
    assert math.isfinite(found.cost) and found.actions[0, 1] <= 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_if_no_future_is_finite_the_cost_says_so(name: str, bad: float) -> None:
    found = solver(name).solve(problem(lambda a: a.sum((1, 2)) * 0 + bad))
    assert found.cost == math.inf and np.isfinite(found.actions).all()


@pytest.mark.parametrize("name", ALL)
def test_one_seed_gives_one_solution(name: str) -> None:
    bowl = problem(cost_of([0.33, -1.0]))
    first, second, other = (solver(name, 64, 1, seed).solve(bowl).actions for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_shifting_moves_the_warm_start_on_in_time() -> None:
    search = Icem(SearchSize(1, 1, STEPS), IcemConfig(), 0)
    ramp = np.linspace(0.0, 0.3, STEPS, dtype=np.float32)[:, None].repeat(2, 1)
    search.mean, search.kept = ramp, ramp[None].copy()
    search.shift(0.0)
    search.shift(-1.0)
    np.testing.assert_array_equal(search.mean, ramp)
    search.shift(0.5)
    np.testing.assert_allclose(search.mean[:, 0], [0.05, 0.15, 0.25, 0.3], atol=1e-6)
    np.testing.assert_array_equal(search.kept[0], search.mean)
    assert search.mean.dtype == search.kept.dtype == np.float32
    search.shift(float(STEPS))
    assert (search.mean == 0).all() and len(search.kept) == 0


@pytest.mark.parametrize("name", ALL)
def test_a_plan_made_a_step_ago_is_still_worth_something(name: str) -> None:
    """The optimum moves by one step, as time does."""
    ramp = (np.linspace(-0.1, 0.4, STEPS + 1)[:, None] * [1.0, 2.0]).astype(np.float32)
    now, later = problem(cost_of(ramp[:-1])), problem(cost_of(ramp[1:]))
    warm, cold = solver(name, 40, 2), solver(name, 40, 2)
    for _ in range(8):
        warm.solve(now)
    warm.shift(1.0)
    assert warm.solve(later).cost < cold.solve(later).cost


@pytest.mark.parametrize(("exponent", "least", "most"), [(0.0, -0.1, 0.1), (2.0, 0.6, 1.0)])
def test_noise_has_unit_variance_and_its_colour(exponent: float, least: float, most: float) -> None:
    noise = coloured_noise(4000, 10, exponent, np.random.default_rng(0))
    assert noise.shape == (4000, 10, 2) and noise.dtype == np.float32 and abs(float(noise.std()) - 1) < 0.05
    following = (noise[:, 1:] * noise[:, :-1]).mean() / np.square(noise).mean()
    assert least < float(following) < most


def test_more_elites_than_samples_do_no_harm() -> None:
    search = Icem(SearchSize(4, 3, STEPS), IcemConfig(elites=12), 0)
    assert search.solve(problem(cost_of([0.1, 0.1]))).cost < math.inf
