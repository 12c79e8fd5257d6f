"""Counting how often the robot ran into something."""

from __future__ import annotations

from ami_ros.simulation.rendering import mujoco

REST = 0.25  # a touch within so many seconds of the last one of the same thing is the same contact [s]


class ContactCounter:
    """Counts beginnings of contacts of the geometry called `bumper`; it meets everything but the floor."""

    def __init__(self, model: mujoco.MjModel, bumper: str) -> None:
        self._bumper = model.geom(bumper).id
        self._last_touch: dict[int, float] = {}
        self.count = 0

    def update(self, data: mujoco.MjData, now: float) -> None:
        """Reads the contacts of `data` at time `now` [s]."""
        for first, second in data.contact.geom:
            if self._bumper not in (first, second):
                continue
            other = int(second if first == self._bumper else first)
            if now - self._last_touch.get(other, -REST - 1.0) > REST:
                self.count += 1
            self._last_touch[other] = now

    def forget_touching(self) -> None:
        """The robot was put elsewhere: what it touches next is a new contact."""
        self._last_touch.clear()
