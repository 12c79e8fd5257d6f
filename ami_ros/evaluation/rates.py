"""Success rates with the interval that a small number of trials deserves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


def wilson_interval(reached: int, n: int) -> tuple[float, float]:
    """The Wilson score interval (JASA 22, 1927), 95 %, of so many successes in `n` trials; without any it is (0, 1)."""
    if not n and not reached:
        return 0.0, 1.0
    from scipy.stats import binomtest  # takes most of a second, which commands that count nothing do without

    found = binomtest(reached, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class SuccessRate:
    """How often a kind of goal was reached; `rate` is None when none was tried."""

    n: int
    reached: int
    rate: float | None
    wilson_low: float
    wilson_high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> SuccessRate:
        results = list(outcomes)
        n, reached = len(results), sum(results)
        return cls(n, reached, reached / n if n else None, *wilson_interval(reached, n))

    def to_json(self) -> dict[str, float | int | None]:
        return asdict(self)

    def __str__(self) -> str:
        if self.rate is None:
            return "none tried"
        low, high = 100 * self.wilson_low, 100 * self.wilson_high
        return f"{self.reached}/{self.n} = {100 * self.rate:.0f} % ({low:.0f} to {high:.0f} %)"
