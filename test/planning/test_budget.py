"""The size of a search follows what the machine can do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.planning.planner import Budget, fit
from ami_ros.planning.protocols import SearchSize

WANTED = SearchSize(128, 3, 7)
ITERATION = WANTED.samples * WANTED.horizon  # model steps


def seconds(size: SearchSize, pace: float) -> float:
    return pace * size.samples * size.iterations * size.horizon


def test_a_fast_machine_does_what_is_configured() -> None:
    assert fit(WANTED, 0.08, 0.01 / ITERATION) == WANTED
    assert fit(WANTED, 0.08, 0.0) == WANTED


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [
        (0.030, SearchSize(128, 2, 7)),
        (0.040, SearchSize(64, 3, 7)),
        (0.100, SearchSize(32, 2, 7)),
        (0.160, SearchSize(32, 2, 5)),
        (9.0, SearchSize(32, 2, 4)),
    ],
)
def test_slower_machines_give_up_iterations_then_samples_then_horizon(iteration: float, expected: SearchSize) -> None:
    assert fit(WANTED, 0.08, iteration / ITERATION) == expected


@given(st.integers(2, 600), st.integers(1, 40), st.integers(1, 12), st.floats(1e-9, 1e-2), st.floats(0.0, 1.0))
def test_it_fits_if_anything_does_and_never_exceeds_what_is_wanted(
    samples: int, iterations: int, horizon: int, pace: float, deadline: float
) -> None:
    wanted = SearchSize(samples, iterations, horizon)
    size = fit(wanted, deadline, pace)
    assert size.samples <= samples and size.iterations <= iterations and size.horizon <= horizon
    least = SearchSize(min(samples, 32), min(iterations, 2), min(horizon, 4))
    assert seconds(size, pace) <= 0.8 * deadline + 1e-9 or size == least


def test_one_slow_search_among_many_changes_nothing() -> None:
    budget = Budget(WANTED, 0.08)
    for took in [0.03] * 9 + [0.5]:
        budget.note(128 * 3, took)
    assert budget.fit() == WANTED


def test_it_says_what_it_chose_and_grows_again_when_the_machine_is_free() -> None:
    budget = Budget(WANTED, 0.08)
    for _ in range(60):
        budget.note(128, 0.1)
    assert budget.fit() == SearchSize(32, 2, 7)
    assert (
        str(budget) == f"searches of 32 samples x 2 iterations x 7 steps instead of {WANTED}, which would be late: "
        "50 of 80 ms"
    )
    for _ in range(60):
        budget.note(64, 0.005)
    assert budget.fit() == WANTED and "instead" not in str(budget)


def test_nothing_is_concluded_from_the_first_searches() -> None:
    budget = Budget(replace(WANTED, samples=64), 0.08)
    for _ in range(3):
        budget.note(64, 5.0)
    assert budget.fit() == replace(WANTED, samples=64)
