"""Counting how often the robot ran into something, and who ran into whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ami_ros.core.geometry import Array, Disc
from ami_ros.simulation.floor_plan import FloorPlan

LOOKS_BACK = 0.2  # over which it is asked who moved [s]
LEAVES = 0.3  # how far a robot that stood is asked to have been able to drive away [m]
DRIVES = 0.5  # over which it is asked whether the robot drove [s]: it rolls on for less after its motors stop
MOVES = 0.05  # towards the other: slower than this counts as standing [m/s]


class ContactCounter:
    """Counts beginnings of contacts in `count`, not touches: pushing at a wall is one contact, however it trembles. A
    touch within `rest` [s] of the last one of the same thing is the same contact."""

    def __init__(self, rest: float = 0.25) -> None:
        self.count, self._rest = 0, rest
        self._last_touch: dict[Hashable, float] = {}

    def update(self, touched: Iterable[Hashable], now: float) -> list[Hashable]:
        """Whatever is `touched` at time `now` [s], by any name that stays the same; those whose contact begins."""
        begun = []
        for thing in touched:
            if now - self._last_touch.get(thing, float("-inf")) > self._rest:
                self.count += 1
                begun.append(thing)
            self._last_touch[thing] = now
        return begun

    def moved_elsewhere(self) -> None:
        """The robot was put elsewhere: what it touches next is a new contact."""
        self._last_touch.clear()


@dataclass(frozen=True)
class Touch:
    """The beginning of a contact with something that moves by itself.

    The rule: both ways over the last LOOKS_BACK seconds are projected onto the line between the middles. The robot is
    *moving* if it came nearer to where the other was by more than MOVES a second: then the contact is the robot's,
    whatever the other did. Else it is *standing*, also while it turns on the spot or drives away, and the other came.
    How far somebody pushed it there does not count: its motors must have driven it there over the last DRIVES seconds.
    `could_leave` says of a robot that stood whether it had room to drive straight ahead or back, away from the other,
    by LEAVES: then it stood in the way although it need not have, unless it was *leaving* and the other was faster.
    """

    time: float  # [s]
    thing: str  # its name
    robot_speed: float  # towards the other [m/s]
    thing_speed: float  # towards the robot [m/s]
    could_leave: bool

    @property
    def robot_moving(self) -> bool:
        """Whether the contact is the robot's; else the robot stood."""
        return self.robot_speed > MOVES


class TouchJudge:
    """Remembers where the robot and the others were, and says of a touch who came to whom."""

    def __init__(self) -> None:
        self.touches: list[Touch] = []
        self._past: deque[tuple[float, Array, Array]] = deque()
        self._driven: deque[tuple[float, Array]] = deque()

    def note(self, now: float, robot: Array, others: Array, driven: Array) -> None:
        """The middles (2,) of the robot and (n, 2) of the others at `now` [s], before they move on; and how its motors
        drive the robot (2,) [m/s], in the same axes."""
        self._driven.append((now, driven))
        while self._driven[0][0] < now - DRIVES - 1e-6:
            self._driven.popleft()
        self._past.append((now, robot.copy(), others.copy()))
        while self._past[0][0] < now - LOOKS_BACK - 1e-6:
            self._past.popleft()

    def forget(self) -> None:
        """The robot was put elsewhere."""
        self._past.clear()
        self._driven.clear()

    def touch(self, now: float, index: int, name: str, could_leave: bool) -> None:
        """The robot and number `index` of the others touch, where they were noted last."""
        (then, robot, others), (_, here, there) = self._past[0], self._past[-1]
        line = there[index] - here
        line = line / max(float(np.hypot(*line)), 1e-9)
        passed = max(now - then, 1e-3)
        own = max(float(driven @ line) for _, driven in self._driven)
        robot_speed = min(float((here - robot) @ line) / passed, max(own, 0.0))
        thing_speed = float((others[index] - there[index]) @ line) / passed
        self.touches.append(Touch(now, name, robot_speed, thing_speed, could_leave))


def could_leave(pose: Array, disc: Disc, plan: FloorPlan, others: Array, index: int) -> bool:
    """Whether a robot at `pose` (3,) can drive straight ahead or back by LEAVES, away from number `index` of the
    `others` (n, 2 or more), without touching what `plan` knows."""
    here = disc.centre(pose[None])[0]
    away = here - others[index, :2]
    ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
    for direction in (ahead, -ahead):
        if direction @ away > 0.0:
            points = here + direction * np.linspace(0.1, LEAVES, 3)[:, None]
            if (plan.clearance(points) > disc.radius).all():
                return True
    return False


def counts(touches: Sequence[Touch]) -> dict[str, int]:
    """Contacts with what moves by itself, apart: robot_moving, robot_standing, and of these leaving and could_leave."""
    standing = [touch for touch in touches if not touch.robot_moving]
    staying = [touch for touch in standing if touch.robot_speed >= -MOVES]
    return {
        "robot_moving": len(touches) - len(standing),
        "robot_standing": len(standing),
        "leaving": len(standing) - len(staying),
        "could_leave": sum(touch.could_leave for touch in staying),
    }
