"""How long a condition has held."""

from __future__ import annotations


class Stopwatch:
    """Runs while a condition holds without interruption."""

    def __init__(self) -> None:
        self._since: float | None = None

    def held(self, condition: bool, stamp: float) -> float:
        """Seconds for which `condition` has held until `stamp` [s]; 0 where it does not."""
        if not condition:
            self._since = None
            return 0.0
        if self._since is None:
            self._since = stamp
        return stamp - self._since

    def restart(self) -> None:
        """Begins anew."""
        self._since = None
