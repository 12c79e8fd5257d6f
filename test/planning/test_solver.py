"""The search: finds optima, keeps bounds and deadlines, and remembers."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import Tensor

from ami_ros.planning.solver import Solver, SolverConfig, coloured_noise

LOW, HIGH = torch.tensor([-0.2, -1.5]), torch.tensor([0.5, 1.5])
STEPS = 4
NONE = torch.zeros(0, STEPS, 2)
THOROUGH = SolverConfig(iterations=12)


def solver(config: SolverConfig = THOROUGH, seed: int = 0) -> Solver:
    return Solver(STEPS, LOW, HIGH, config, seed)


def quadratic(target: Tensor) -> Tensor:
    """Targets (steps, 2) or (2,) -> the cost function's optimum (steps, 2)."""
    return target.expand(STEPS, 2)


def cost_of(target: Tensor):  # type: ignore[no-untyped-def]
    return lambda actions: (((actions - quadratic(target)) / (HIGH - LOW)) ** 2).sum((1, 2))


@pytest.mark.parametrize("target", [[0.3, -0.8], [0.0, 0.0], [-0.15, 1.4]])
def test_it_finds_the_bottom_of_a_bowl(target: list[float]) -> None:
    wanted = torch.tensor(target)
    found = solver().solve(cost_of(wanted), NONE, math.inf)
    assert found.actions.shape == (STEPS, 2) and found.cost < 0.02
    torch.testing.assert_close(found.actions, quadratic(wanted), atol=0.25, rtol=0)


def test_it_finds_a_bottom_that_lies_on_the_bounds() -> None:
    found = solver().solve(cost_of(torch.tensor([9.0, -9.0])), NONE, math.inf)
    assert ((found.actions - torch.tensor([0.5, -1.5])).abs() / (HIGH - LOW)).max() < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_of_two_valleys_it_takes_the_deeper(seed: int) -> None:
    shallow, deep = cost_of(torch.tensor([0.1, 0.7])), cost_of(torch.tensor([0.3, -0.7]))
    found = solver(seed=seed).solve(lambda a: torch.minimum(shallow(a) + 0.5, deep(a)), NONE, math.inf)
    assert found.cost < 0.1 and found.actions[:, 1].mean() < -0.4


def test_every_candidate_lies_within_the_bounds() -> None:
    seen: list[Tensor] = []

    def evaluate(actions: Tensor) -> Tensor:
        seen.append(actions)
        return -actions.abs().sum((1, 2))

    wild = torch.full((3, STEPS, 2), 100.0)
    solver().solve(evaluate, wild, math.inf)
    everything = torch.cat(seen)
    assert (everything >= LOW).all() and (everything <= HIGH).all()


def test_a_speed_limit_holds_in_both_directions_for_one_call() -> None:
    search, limit, seen = solver(), torch.tensor([0.1, 0.3]), []

    def evaluate(actions: Tensor) -> Tensor:
        seen.append(actions)
        return -actions[..., 0].sum(1)

    search.solve(evaluate, NONE, math.inf, high=limit)
    limited = torch.cat(seen)
    assert (limited.abs() <= limit + 1e-6).all()
    found = search.solve(evaluate, NONE, math.inf)
    assert found.actions[:, 0].min() > 0.4


def test_a_limit_above_the_robots_own_changes_nothing() -> None:
    found = solver().solve(cost_of(torch.tensor([9.0, 0.0])), NONE, math.inf, high=torch.tensor([5.0, 9.0]))
    assert found.actions.max() <= 0.5 + 1e-6


def test_when_the_deadline_has_passed_one_iteration_is_made() -> None:
    config = SolverConfig(samples=64, iterations=50)
    found = solver(config).solve(cost_of(torch.tensor([0.3, 0.3])), NONE, time.perf_counter() - 1.0)
    assert found.evaluated == 64 and math.isfinite(found.cost)
    assert solver(SolverConfig(64, 5)).solve(cost_of(HIGH), NONE, math.inf).evaluated == 5 * 64


def test_a_warm_start_goes_on_where_the_last_search_ended() -> None:
    brief = SolverConfig(samples=40, iterations=1)
    search, cost = solver(brief), cost_of(torch.tensor([0.33, -0.77]))
    costs = [search.solve(cost, NONE, math.inf).cost for _ in range(12)]
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.4 * costs[0]
    search.reset()
    assert search.solve(cost, NONE, math.inf).cost > costs[-1]


def test_a_good_proposal_is_never_lost() -> None:
    target = torch.tensor([0.123, 0.456])
    found = solver(SolverConfig(iterations=1)).solve(cost_of(target), quadratic(target)[None], math.inf)
    assert found.cost < 1e-9
    torch.testing.assert_close(found.actions, quadratic(target))


def test_shifting_moves_the_warm_start_on_in_time() -> None:
    search = solver()
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


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_future_whose_cost_is_not_finite_is_never_chosen(bad: float) -> None:
    """Everything that turns left goes wrong, and would be best."""
    good = cost_of(torch.tensor([0.2, 1.0]))

    def evaluate(actions: Tensor) -> Tensor:
        return torch.where(actions[:, 0, 1] > 0, torch.tensor(bad), good(actions))

    found = solver().solve(evaluate, NONE, math.inf)
    assert math.isfinite(found.cost) and found.actions[0, 1] <= 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_if_no_future_is_finite_the_cost_says_so(bad: float) -> None:
    found = solver().solve(lambda a: torch.full((len(a),), bad), NONE, math.inf)
    assert found.cost == math.inf and found.actions.isfinite().all()


def test_one_seed_gives_one_solution() -> None:
    cost = cost_of(torch.tensor([0.1, 0.2]))
    first, second = (solver(seed=5).solve(cost, NONE, math.inf) for _ in range(2))
    assert torch.equal(first.actions, second.actions)
    assert not torch.equal(solver(seed=6).solve(cost, NONE, math.inf).actions, first.actions)


@pytest.mark.parametrize(("exponent", "least", "most"), [(0.0, -0.1, 0.1), (2.0, 0.6, 1.0)])
def test_noise_has_unit_variance_and_its_colour(exponent: float, least: float, most: float) -> None:
    noise = coloured_noise(4000, 10, exponent, torch.Generator().manual_seed(0))
    assert noise.shape == (4000, 10, 2) and abs(float(noise.std()) - 1) < 0.05
    following = (noise[:, 1:] * noise[:, :-1]).mean() / noise.square().mean()
    assert least < float(following) < most
