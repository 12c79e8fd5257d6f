"""The searches: each finds optima, keeps bounds and deadlines, and remembers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ami_ros.planning.kinematics import Drive, Kinematics
from ami_ros.planning.protocols import Problem, SearchSize, Solver, no_proposals
from ami_ros.planning.solvers.hybrid import PRICE
from ami_ros.planning.solvers.icem import Icem, IcemConfig
from ami_ros.planning.solvers.registry import BUILT_IN, SolverConfig, make_solver
from ami_ros.planning.solvers.search import WarmStart, coloured_noise

ROBOT = Kinematics("differential", 0.5, 0.2, 1.5)
LOW, HIGH = ROBOT.low, ROBOT.high
STEPS = 4
NONE = no_proposals(STEPS)
ALL = sorted(BUILT_IN)


def solver(name: str, samples: int = 128, iterations: int = 12, seed: int = 0) -> Solver:
    return make_solver(SolverConfig(name), SearchSize(samples, iterations, STEPS), seed)


def problem(
    cost: Callable[[Tensor], Tensor], proposals: Tensor = NONE, deadline: float = math.inf, robot: Kinematics = ROBOT
) -> Problem:
    return Problem(cost, robot, proposals, deadline)


def bottom(target: Tensor) -> Tensor:
    """Targets (steps, 2) or (2,) -> the cost function's optimum (steps, 2)."""
    return target.expand(STEPS, 2)


def cost_of(target: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda actions: (((actions - bottom(target)) / (HIGH - LOW)) ** 2).sum((1, 2))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("target", [[0.3, -0.8], [0.0, 0.0], [-0.15, 1.4]])
def test_it_finds_the_bottom_of_a_bowl(name: str, target: list[float]) -> None:
    wanted = torch.tensor(target)
    found = solver(name).solve(problem(cost_of(wanted)))
    assert found.actions.shape == (STEPS, 2) and found.cost < 0.02
    torch.testing.assert_close(found.actions, bottom(wanted), atol=0.25, rtol=0)


@pytest.mark.parametrize("name", ALL)
def test_it_finds_a_bottom_that_lies_on_the_bounds(name: str) -> None:
    found = solver(name).solve(problem(cost_of(torch.tensor([9.0, -9.0]))))
    assert ((found.actions - torch.tensor([0.5, -1.5])).abs() / (HIGH - LOW)).max() < 0.2


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_of_two_valleys_it_takes_the_deeper(name: str, seed: int) -> None:
    shallow, deep = cost_of(torch.tensor([0.1, 0.7])), cost_of(torch.tensor([0.3, -0.7]))
    both = problem(lambda a: torch.minimum(shallow(a) + 0.5, deep(a)))
    found = solver(name, seed=seed).solve(both)
    assert found.cost < 0.1 and found.actions[:, 1].mean() < -0.4


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("drive", ["differential", "ackermann"])
def test_every_candidate_is_one_that_the_robot_can_carry_out(name: str, drive: Drive) -> None:
    seen: list[Tensor] = []
    robot = replace(ROBOT, drive=drive)

    def evaluate(actions: Tensor) -> Tensor:
        seen.append(actions.detach())
        return -actions.abs().sum((1, 2))

    found = solver(name).solve(problem(evaluate, torch.full((3, STEPS, 2), 100.0), robot=robot))
    everything = torch.cat([*seen, found.actions[None]])
    torch.testing.assert_close(robot.project(everything), everything, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ALL)
def test_a_lower_limit_holds_for_one_call(name: str) -> None:
    search = solver(name)
    slow, fast = ROBOT.limited(0.1, 0.3), ROBOT
    assert search.solve(problem(lambda a: -a[..., 0].sum(1), robot=slow)).actions.abs().max() <= 0.3
    assert search.solve(problem(lambda a: -a[..., 0].sum(1), robot=fast)).actions[:, 0].min() > 0.35


@pytest.mark.parametrize("name", ALL)
def test_when_the_deadline_has_passed_one_batch_is_weighed_and_the_best_of_it_returned(name: str) -> None:
    batches: list[Tensor] = []

    def evaluate(actions: Tensor) -> Tensor:
        costs = cost_of(torch.tensor([0.3, 0.3]))(actions)
        batches.append(costs.detach())
        return costs

    found = solver(name, 64, 50).solve(problem(evaluate, deadline=time.perf_counter() - 1.0))
    assert len(batches) == 1 and found.cost == float(batches[0].min())


def test_a_batch_that_would_end_after_the_deadline_is_not_begun() -> None:
    batches = []

    def evaluate(actions: Tensor) -> Tensor:
        batches.append(len(actions))
        time.sleep(0.05)
        return actions.sum((1, 2))

    solver("icem", 8, 50).solve(problem(evaluate, deadline=time.perf_counter() + 0.075))
    assert len(batches) == 1


@pytest.mark.parametrize("name", ALL)
def test_no_search_evaluates_more_than_its_size(name: str) -> None:
    weighed = 0

    def evaluate(actions: Tensor) -> Tensor:
        nonlocal weighed
        weighed += len(actions) * (PRICE if actions.requires_grad else 1)
        return cost_of(HIGH)(actions)

    found = solver(name, 64, 6).solve(problem(evaluate))
    assert found.evaluated == weighed and 0.75 * 64 * 6 <= weighed <= 64 * 6


@pytest.mark.parametrize("name", ALL)
def test_a_warm_start_goes_on_where_the_last_search_ended(name: str) -> None:
    search, bowl = solver(name, 40, 1), problem(cost_of(torch.tensor([0.33, -0.77])))
    costs = [search.solve(bowl).cost for _ in range(12)]
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.7 * costs[0]
    search.reset()
    assert search.solve(bowl).cost > costs[-1]


@pytest.mark.parametrize("name", ALL)
def test_a_good_proposal_is_never_lost(name: str) -> None:
    target = torch.tensor([0.123, 0.456])
    found = solver(name, iterations=1).solve(problem(cost_of(target), bottom(target)[None]))
    assert found.cost < 1e-9
    torch.testing.assert_close(found.actions, bottom(target))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_future_whose_cost_is_not_finite_is_never_chosen(name: str, bad: float) -> None:
    """Everything that turns left goes wrong, and would be best."""
    good = cost_of(torch.tensor([0.2, 1.0]))

    def evaluate(actions: Tensor) -> Tensor:
        return torch.where(actions[:, 0, 1] > 0, torch.tensor(bad), good(actions))

    found = solver(name).solve(problem(evaluate))
    assert math.isfinite(found.cost) and found.actions[0, 1] <= 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_if_no_future_is_finite_the_cost_says_so(name: str, bad: float) -> None:
    found = solver(name).solve(problem(lambda a: a.sum((1, 2)) * 0 + bad))
    assert found.cost == math.inf and found.actions.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_one_seed_gives_one_solution(name: str) -> None:
    bowl = problem(cost_of(torch.tensor([0.33, -1.0])))
    first, second, other = (solver(name, 64, 1, seed).solve(bowl).actions for seed in (5, 5, 6))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_refining_by_gradients_goes_deeper_than_sampling_alone() -> None:
    """Five steps of two commands each, an optimum between all samples."""
    wavy = torch.tensor([[0.1, -0.9], [0.45, 0.3], [-0.1, 1.2], [0.2, -0.1]])
    sampled, refined = (solver(name, 128, 6).solve(problem(cost_of(wavy))).cost for name in ("icem", "hybrid"))
    assert refined < 0.5 * sampled


def test_shifting_moves_the_warm_start_on_in_time() -> None:
    search = WarmStart(SearchSize(1, 1, STEPS), 0)
    ramp = torch.linspace(0.0, 0.3, STEPS)[:, None].expand(STEPS, 2).clone()
    search.mean, search.kept = ramp, ramp[None].clone()
    search.shift(0.0)
    search.shift(-1.0)
    torch.testing.assert_close(search.mean, ramp)
    search.shift(0.5)
    torch.testing.assert_close(search.mean[:, 0], torch.tensor([0.05, 0.15, 0.25, 0.3]))
    torch.testing.assert_close(search.kept[0], search.mean)
    search.shift(float(STEPS))
    assert (search.mean == 0).all() and len(search.kept) == 0


@pytest.mark.parametrize("name", ALL)
def test_a_plan_made_a_step_ago_is_still_worth_something(name: str) -> None:
    """The optimum moves by one step, as time does."""
    ramp = torch.linspace(-0.1, 0.4, STEPS + 1)[:, None] * torch.tensor([1.0, 2.0])
    now, later = problem(cost_of(ramp[:-1])), problem(cost_of(ramp[1:]))
    warm, cold = solver(name, 40, 2), solver(name, 40, 2)
    for _ in range(8):
        warm.solve(now)
    warm.shift(1.0)
    assert warm.solve(later).cost < cold.solve(later).cost


@pytest.mark.parametrize(("exponent", "least", "most"), [(0.0, -0.1, 0.1), (2.0, 0.6, 1.0)])
def test_noise_has_unit_variance_and_its_colour(exponent: float, least: float, most: float) -> None:
    noise = coloured_noise(4000, 10, exponent, torch.Generator().manual_seed(0))
    assert noise.shape == (4000, 10, 2) and abs(float(noise.std()) - 1) < 0.05
    following = (noise[:, 1:] * noise[:, :-1]).mean() / noise.square().mean()
    assert least < float(following) < most


def test_more_elites_than_samples_do_no_harm() -> None:
    search = Icem(SearchSize(4, 3, STEPS), IcemConfig(elites=12), 0)
    assert search.solve(problem(cost_of(torch.tensor([0.1, 0.1])))).cost < math.inf
