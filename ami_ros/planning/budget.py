"""How large a search this machine can do in time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from ami_ros.planning.protocols import SearchSize

LEAST = SearchSize(samples=32, iterations=2, horizon=4)
SHARE = 0.8  # of the deadline is for the search; the rest of a plan needs the remainder
RECENT = 50  # searches that are remembered
ENOUGH = 4  # at least, before the size is changed


class Budget:
    """Watches how long searches take, and fits their size to it.

    Args:
        wanted: the configured size; it is never exceeded.
        deadline: of one search [s].
    """

    def __init__(self, wanted: SearchSize, deadline: float) -> None:
        self.wanted, self.deadline = wanted, deadline
        self.size = wanted
        self._paces: deque[float] = deque(maxlen=RECENT)

    @property
    def pace(self) -> float:
        """Time of one model step of one sequence [s]; a low one among the recent, since others may be slowed down."""
        return float(np.quantile(self._paces, 0.25)) if len(self._paces) >= ENOUGH else 0.0

    def note(self, evaluated: int, seconds: float) -> None:
        """A search of `evaluated` sequences took `seconds`."""
        self._paces.append(seconds / (evaluated * self.size.horizon))

    def fit(self) -> SearchSize:
        """The size of searches from now on."""
        self.size = fit(self.wanted, self.deadline, self.pace)
        return self.size

    def __str__(self) -> str:
        """What was chosen, and why."""
        size, wanted = self.size, self.wanted
        took = self.pace * size.samples * size.iterations * size.horizon
        why = "" if size == wanted else f" instead of {wanted}, which would be late"
        return f"searches of {size}{why}: {1000 * took:.0f} of {1000 * self.deadline:.0f} ms"


def fit(wanted: SearchSize, deadline: float, pace: float) -> SearchSize:
    """The largest search, at most `wanted`, that fits; it gives up iterations first, then samples, then horizon.

    Iterations go first because each brings less than the one before. What is below `LEAST` ranks futures little better
    than guessing, and is not chosen even if it were in time: then the deadline cuts the search short.

    Args:
        wanted: the configured size.
        deadline: of one search [s].
        pace: how long one model step of one sequence takes [s]; 0: not known, everything fits.
    """
    if not pace > 0:
        return wanted
    fewest = min(wanted.iterations, LEAST.iterations)
    size = wanted
    while True:
        possible = int(SHARE * deadline / (pace * size.samples * size.horizon))
        if possible >= fewest:
            return replace(size, iterations=min(wanted.iterations, possible))
        if size.samples > LEAST.samples:
            size = replace(size, samples=max(LEAST.samples, size.samples // 2))
        elif size.horizon > LEAST.horizon:
            size = replace(size, horizon=size.horizon - 1)
        else:
            return replace(size, iterations=fewest)
