"""The next batch is made on a thread while the model computes on this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Values by number, each made while the one before is in use.

    Args:
        make: gives the value of a number; called on a thread of its own, one call at a time.
        stop: the number behind the last one.

    Attributes:
        waited: how long `take` had to wait so far [s].
    """

    def __init__(self, make: Callable[[int], T], stop: int) -> None:
        self._make, self._stop = make, stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._coming: tuple[int, Future[T]] | None = None
        self.waited = 0.0

    def take(self, number: int) -> T:
        """The value of `number`; the next one is begun. What `make` raises comes out here."""
        began = time.perf_counter()
        is_coming = self._coming is not None and self._coming[0] == number
        future = self._coming[1] if is_coming and self._coming else self._thread.submit(self._make, number)
        value = future.result()
        self.waited += time.perf_counter() - began
        following = number + 1
        self._coming = (following, self._thread.submit(self._make, following)) if following < self._stop else None
        return value

    def forget(self) -> None:
        """What was made ahead is of no use any more; returns when nothing is being made."""
        if self._coming is not None:
            wait([self._coming[1]])
            self._coming = None

    def close(self) -> None:
        """Ends the thread; what it is making is finished and dropped."""
        self._thread.shutdown(cancel_futures=True)
