"""Success rates with the interval that a small number of trials deserves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass


def wilson_interval(reached: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a binomial proportion.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Args:
        reached: successes, 0 <= reached <= n.
        n: trials; without any the interval is (0, 1): nothing is known.
        z: normal quantile; the default gives 95 %.
    """
    if not 0 <= reached <= n:
        raise ValueError(f"{reached} successes out of {n} trials")
    if n == 0:
        return 0.0, 1.0
    p, z2 = reached / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if reached == 0 else centre - half
    high = 1.0 if reached == n else centre + half
    return low, high


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
