"""Counting how often the robot ran into something."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

REST = 0.25  # a touch within so many seconds of the last one of the same thing is the same contact [s]


class ContactCounter:
    """Counts beginnings of contacts in `count`, not touches: pushing at a wall is one contact, however it trembles."""

    def __init__(self) -> None:
        self.count = 0
        self._last_touch: dict[Hashable, float] = {}

    def update(self, touched: Iterable[Hashable], now: float) -> None:
        """Whatever is `touched` at time `now` [s], by any name that stays the same."""
        for thing in touched:
            if now - self._last_touch.get(thing, float("-inf")) > REST:
                self.count += 1
            self._last_touch[thing] = now

    def moved_elsewhere(self) -> None:
        """The robot was put elsewhere: what it touches next is a new contact."""
        self._last_touch.clear()
