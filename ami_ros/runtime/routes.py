"""Questions to memory for routes, asked without waiting for the answers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from ami_ros.core.errors import AmiError
from ami_ros.memory.types import Code, Route
from ami_ros.planning.types import RouteRequest
from ami_ros.runtime.part import FIND_ROUTE, Bus


class Routes:
    """Asks some questions at a time. No method blocks, and each may be called from any thread.

    Args:
        bus: of the part that asks.
        timeout: for all answers together [s] of steady time.

    Attributes:
        took: from questions to the use of their answers, the newest [s].
    """

    def __init__(self, bus: Bus, timeout: float) -> None:
        self._bus, self.timeout = bus, timeout
        self._lock = threading.Lock()
        self._answers: list[Route | AmiError | None] = []
        self._unsent: list[tuple[int, RouteRequest]] = []  # until somebody is there to answer
        self._round, self._asked, self._times = 0, 0.0, 1.0
        self.took: list[float] = []

    @property
    def pending(self) -> bool:
        """Something was asked, and `poll` has not yet given the answers."""
        return bool(self._answers)

    def ask(self, requests: Sequence[RouteRequest], times: float = 1.0) -> None:
        """Asks in place of what was asked before, and waits so many `times` the timeout."""
        with self._lock:
            self._round += 1
            self._answers, self._unsent = [None] * len(requests), list(enumerate(requests))
            self._asked, self._times = self._bus.steady(), times
        self._send()

    def poll(self) -> list[Route | AmiError] | None:
        """All answers in the order of the requests, once; None while some may still come, and where nothing was asked.

        An answer that did not come in time is an AmiError with `Code.NO_ANSWER`.
        """
        if not self._answers:
            return None
        self._send()
        with self._lock:
            late = self._bus.steady() - self._asked > self.timeout * self._times
            if not late and any(answer is None for answer in self._answers):
                return None
            text = f"memory did not answer within {self.timeout * self._times:g} s"
            if self._unsent:
                text = "no node offers find_route; start memory, or set use_memory to false"
            silence = AmiError(text, Code.NO_ANSWER)
            self.took.append(self._bus.steady() - self._asked)
            del self.took[:-100]
            answers = [silence if answer is None else answer for answer in self._answers]
            self._forget()
            return answers

    def forget(self) -> None:
        """Drops the question; its answers are ignored."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._round += 1
        self._answers, self._unsent = [], []

    def _send(self) -> None:
        with self._lock:
            waiting, self._unsent, number = self._unsent, [], self._round
        left = [
            (index, request)
            for index, request in waiting
            if not self._bus.ask(FIND_ROUTE, request, partial(self._take, number, index))
        ]
        with self._lock:
            if number == self._round:
                self._unsent = left

    def _take(self, number: int, index: int, answer: Route | AmiError) -> None:
        with self._lock:
            if number == self._round:
                self._answers[index] = answer
