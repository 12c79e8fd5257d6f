"""How a drive goes, a line at a time: over itself on a terminal, one now and then in a file."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ami_ros.ros.goals.robot_client import Outcome


WIDTH = 79
SELDOM, OFTEN = 5.0, 0.5  # [s] between two lines


class Telling:
    """Writes to stderr; `tell` takes the feedback of navigate_to_goal or run_mission.

    Args:
        allowance: [s] that a mission may take; 0: not known.
    """

    def __init__(self, allowance: float = 0.0) -> None:
        self._allowance = allowance
        self._terminal = sys.stderr.isatty()
        self._told, self._words = 0.0, ""

    def tell(self, feedback: Any) -> None:
        """Something is new."""
        line, now = line_of(feedback, self._allowance), time.monotonic()
        words = getattr(feedback, "message", "")
        if now - self._told < (OFTEN if self._terminal else SELDOM) and words == self._words:
            return
        self._told, self._words = now, words
        if self._terminal:
            sys.stderr.write(f"\r{line[:WIDTH]:<{WIDTH}}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self, outcome: Outcome) -> int:
        """Says how it ended, on stdout; returns the exit code."""
        if self._terminal and self._told:
            sys.stderr.write(f"\r{'':<{WIDTH}}\r")
            sys.stderr.flush()
        distance = getattr(outcome.result, "final_distance", math.nan)
        off = f"; {distance:.2f} m from the goal" if math.isfinite(distance) else ""
        code = f" ({outcome.code})" if outcome.code else ""
        sys.stdout.write(f"{outcome.end.name.lower()}: {outcome.message}{code}{off}\n")
        return int(outcome.end)


def line_of(feedback: Any, allowance: float = 0.0) -> str:
    """What feedback says, in a line; `allowance` [s] of a mission."""
    parts = []
    if (distance := feedback.distance_remaining) == distance:
        parts.append(f"{distance:.1f} m left")
    left = getattr(getattr(feedback, "estimated_time_remaining", None), "sec", -1)
    if left >= 0:
        parts.append(f"about {left} s")
    elapsed = getattr(feedback, "navigation_time", None) or getattr(feedback, "elapsed", None)
    if elapsed is not None:
        parts.append(f"after {elapsed.sec} s" + (f" of {allowance:.0f} s" if allowance else ""))
    words = getattr(feedback, "message", "")
    return ", ".join(parts) + (f": {words}" if words and parts else words)
