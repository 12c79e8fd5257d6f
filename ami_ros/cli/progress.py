"""How commands tell how far they are: bars of work, and lines of a drive."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

if TYPE_CHECKING:
    from ami_ros.ros.goals.robot_client import Outcome


def progress_bar(console: Console) -> Progress:
    """One line with a bar, a count and the time left."""
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (words, BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, expand=True)


@contextmanager
def reporting(what: str, total: int | None = None, console: Console | None = None) -> Iterator[Callable[..., None]]:
    """A bar for one piece of work: gives what is called with how much is done, and of how much if that is known then.

    Args:
        what: is done.
        total: of how much.
        console: None: on stderr.
    """
    with progress_bar(console or Console(emoji=False, stderr=True)) as bar:
        task = bar.add_task(what, total=total)

        def report(done: int, of: float | None = None) -> None:
            bar.update(task, completed=done, total=of if total is None else total)

        yield report


@contextmanager
def goes_on_later(console: Console) -> Iterator[None]:
    """Says after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped; repeat the command, and it goes on where it was", soft_wrap=True)
        raise


class Telling:
    """Says on stderr how a drive goes, a line at a time: over itself on a terminal, one now and then in a file.

    Args:
        allowance: [s] that a mission may take; 0: not known.
    """

    def __init__(self, allowance: float = 0.0) -> None:
        self._allowance = allowance
        self._terminal = sys.stderr.isatty()
        self._told, self._words = 0.0, ""

    def tell(self, feedback: Any) -> None:
        """Something is new: feedback of navigate_to_goal or run_mission."""
        words, now = getattr(feedback, "message", ""), time.monotonic()
        if now - self._told < (0.5 if self._terminal else 5.0) and words == self._words:
            return
        self._told, self._words = now, words
        parts = []
        if (distance := feedback.distance_remaining) == distance:
            parts.append(f"{distance:.1f} m left")
        if (left := getattr(getattr(feedback, "estimated_time_remaining", None), "sec", -1)) >= 0:
            parts.append(f"about {left} s")
        elapsed = getattr(feedback, "navigation_time", None) or getattr(feedback, "elapsed", None)
        if elapsed is not None:
            parts.append(f"after {elapsed.sec} s" + (f" of {self._allowance:.0f} s" if self._allowance else ""))
        line = ", ".join(parts) + (f": {words}" if words and parts else words)
        sys.stderr.write(f"\r{line[:79]:<79}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def end(self, outcome: Outcome) -> int:
        """Says how it ended, on stdout; returns the exit code."""
        if self._terminal and self._told:
            sys.stderr.write(f"\r{'':<79}\r")
            sys.stderr.flush()
        distance = getattr(outcome.result, "final_distance", math.nan)
        off = f"; {distance:.2f} m from the goal" if math.isfinite(distance) else ""
        code = f" ({outcome.code})" if outcome.code else ""
        sys.stdout.write(f"{outcome.end.name.lower()}: {outcome.message}{code}{off}\n")
        return int(outcome.end)
