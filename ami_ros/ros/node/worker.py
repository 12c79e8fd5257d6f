"""A worker thread with a slot for one item: the newest wins, and nobody waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

RECENT = 200  # items whose durations are kept
PAUSE = 0.005  # [s] before each piece of work between items


class Worker(Generic[T]):
    """Runs `task` on the newest item submitted, on a thread of its own.

    A piece of work that has not begun when the next is submitted is dropped. The thread is a daemon, so that a
    model that hangs cannot keep the process alive.

    Args:
        name: of the thread.
        task: the work; everything it raises goes to `on_error`, and the thread goes on.
        on_error: called on the worker thread.
        between: a short piece of other work, done again and again while no item waits, from the first item on; False:
            there is none until after the next item.
    """

    def __init__(
        self,
        name: str,
        task: Callable[[T], None],
        on_error: Callable[[Exception], None],
        between: Callable[[], bool] = lambda: False,
    ) -> None:
        self._task, self._on_error, self._between = task, on_error, between
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._busy_since: float | None = None
        self._durations: deque[float] = deque(maxlen=RECENT)
        self.dropped = 0  # items that newer ones replaced
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Leaves `item` for the worker, in place of one that waits there."""
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting = [item]
            self._changed.notify()

    def clear(self) -> None:
        """Takes back an item that waits."""
        with self._changed:
            self._waiting = []

    def busy_for(self) -> float:
        """Steady time [s] that the current item has taken so far; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def durations(self) -> list[float]:
        """What the newest items took [s], up to `RECENT` of them, in order of size."""
        return sorted(self._durations.copy())

    def close(self, timeout: float = 1.0) -> bool:
        """Ends the thread; False if its work does not end within `timeout` [s] (it is then left behind)."""
        with self._changed:
            self._closed, self._waiting = True, []
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        more = False  # to do between items
        while True:
            with self._changed:
                self._busy_since = None
                # Those who wait for a lock that `between` takes get it in the pause.
                self._changed.wait_for(lambda: self._waiting or self._closed, PAUSE if more else None)
                if self._closed:
                    return
                items, self._waiting = self._waiting, []
                self._busy_since = time.monotonic()
            began = time.monotonic()
            try:
                for item in items:
                    self._task(item)
                    self._durations.append(time.monotonic() - began)
                more = bool(items) or self._between()
            except Exception as error:  # nothing that a model raises may end the worker
                more = False
                if not self._closed:  # after that, its node is gone
                    self._on_error(error)
