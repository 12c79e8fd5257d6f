"""Work in slices: what takes longer than a robot may wait is a generator that stops now and then, in a queue."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")
Slices = Generator[None, None, T]  # each `next` is a slice; what it returns is the result


def finished(work: Slices[T]) -> T:
    """The result of work that is done at once."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class Backlog:
    """Tasks that wait; the one of the lowest priority number goes first, of equal ones the oldest.

    A task that has begun is not interrupted by others.
    """

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self._waiting) + (self._begun is not None)

    def clear(self) -> None:
        """Drops all tasks."""
        self._waiting: list[tuple[int, int, Callable[[], Slices[None]]]] = []
        self._begun: tuple[tuple[int, int, Callable[[], Slices[None]]], Slices[None]] | None = None
        self._added = 0

    def add(self, priority: int, task: Callable[[], Slices[None]]) -> None:
        """Queues a task."""
        self._added += 1
        heapq.heappush(self._waiting, (priority, self._added, task))

    def begin_again(self) -> None:
        """What the task under way has found so far is not true any more."""
        if self._begun is not None:
            heapq.heappush(self._waiting, self._begun[0])
            self._begun = None

    def step(self) -> bool:
        """Does one slice; False: there is nothing to do."""
        if self._begun is None:
            if not self._waiting:
                return False
            item = heapq.heappop(self._waiting)
            self._begun = item, item[2]()
        try:
            next(self._begun[1])
        except StopIteration:
            self._begun = None
        except BaseException:
            self._begun = None
            raise
        return True
