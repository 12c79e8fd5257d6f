import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.bench.report import SuccessRate, wilson_interval


@pytest.mark.parametrize(
    ("reached", "n", "low", "high"),
    [(9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_interval_gives_published_values(reached: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(reached, n) == pytest.approx((low, high), abs=1e-4)


def test_without_trials_nothing_is_known() -> None:
    rate = SuccessRate.of([])
    assert rate.rate is None
    assert (rate.wilson_low, rate.wilson_high) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_the_rate_and_stays_in_the_unit_interval(pair: tuple[int, int]) -> None:
    reached, n = pair
    low, high = wilson_interval(reached, n)
    assert 0.0 <= low <= reached / n <= high <= 1.0


def test_more_trials_make_the_interval_narrower() -> None:
    widths = [math.dist((low,), (high,)) for low, high in (wilson_interval(8 * k, 10 * k) for k in (1, 4, 16))]
    assert widths == sorted(widths, reverse=True)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="k"):
        wilson_interval(3, 2)
