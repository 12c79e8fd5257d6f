"""Which cost decided: what each contributed to the chosen future, and what would have been chosen without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ami_ros.world_model.arrays import Floats


@dataclass(frozen=True)
class CostShare:
    """One cost's part in a decision."""

    name: str
    value: float  # of the chosen future [m]
    pull: float  # [m] by which another future would have been better without this cost; 0: it changed nothing


def cost_shares(names: Sequence[str], chosen: Floats, others: Floats) -> tuple[CostShare, ...]:
    """How each cost took part.

    Args:
        names: of the costs (k,).
        chosen: costs (k,) of the future that was chosen.
        others: costs (k, n) of futures that were not.
    """
    without = others.sum(0) - others  # (k, n): the sum of all costs but one
    best = np.where(np.isfinite(without), without, np.inf).min(1)
    pull = (chosen.sum() - chosen - best).clip(0, None)
    return tuple(CostShare(n, v, p) for n, v, p in zip(names, chosen.tolist(), pull.tolist(), strict=True))


def deciding(shares: Iterable[CostShare]) -> str:
    """Name of the cost without which the choice would have been most different; empty if any would have been the
    same."""
    return max((s for s in shares if s.pull > 0), key=lambda s: s.pull, default=CostShare("", 0.0, 0.0)).name
