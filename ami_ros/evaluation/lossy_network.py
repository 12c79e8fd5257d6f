"""A network between robots that share their memories, in simulated time: it loses, delays, and cuts off."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import replace

from ami_ros.errors import AmiError
from ami_ros.places.exchange import Exchange
from ami_ros.places.letters import Letter, packed, unpacked

STEP, TICK = 0.1, 10  # [s], and steps between two states of a robot, as the node `sharing` has them


class LossyNetwork:
    """Carries letters, each as it would be packed.

    Args:
        exchanges: of the robots, by their names.
        loss: share of letters that do not arrive, of each receiver.
        delay: [s] until the others do, give or take half of it, so that they overtake each other.
        seed: of both.
        start: clock of all robots at first [s].

    Attributes:
        time: that has passed [s].
        ahead: by which the clock of a robot is ahead [s].
        apart: robots that nobody hears, and that hear nobody.
        bytes: that were sent.
        refused: by each robot, one line each.
    """

    def __init__(
        self, exchanges: dict[str, Exchange], loss: float = 0.0, delay: float = 0.0, seed: int = 0, start: float = 0.0
    ) -> None:
        self.exchanges, self.loss, self.delay, self.start = exchanges, loss, delay, start
        self.time, self.bytes = 0.0, 0
        self.ahead: dict[str, float] = {}
        self.apart: set[str] = set()
        self.refused: dict[str, list[str]] = {robot: [] for robot in exchanges}
        self._draw = random.Random(seed)
        self._steps = 0
        self._under_way: list[tuple[float, int, str, Letter]] = []

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float | None:
        """Lets time pass; returns after how many seconds `until()` held, asked once a second; None: it did not."""
        began = self.time
        for _ in range(round(seconds / STEP)):
            for robot, exchange in self.exchanges.items():
                now = self.clock(robot)
                if self._steps % TICK == 0:
                    self._send(robot, exchange.tick(now, self.time))
                self._send(robot, exchange.send_rows(now, STEP))
            self._steps += 1
            self.time += STEP
            while self._under_way and self._under_way[0][0] <= self.time:
                _, _, robot, letter = heapq.heappop(self._under_way)
                try:
                    self._send(robot, self.exchanges[robot].take(letter, self.clock(robot), self.time))
                except AmiError as error:
                    self.refused[robot].append(str(error))
            if self._steps % TICK == 0 and until():
                return self.time - began
        return None

    def clock(self, robot: str) -> float:
        """What a robot takes for the time [s]."""
        return self.start + self.time + self.ahead.get(robot, 0.0)

    def _send(self, sender: str, letters: list[Letter]) -> None:
        for letter in letters:
            data = packed(letter.content)
            self.bytes += len(data)
            for robot in self.exchanges:
                if robot == sender or self._draw.random() < self.loss or {robot, sender} & self.apart:
                    continue
                at = self.time + self.delay * self._draw.uniform(0.5, 1.5)
                heard = replace(letter, content=unpacked(data))
                heapq.heappush(self._under_way, (at, self._draw.getrandbits(40), robot, heard))
