"""The crowd of a world beside the robot in it: goes on with it, opens doors, and is judged where they touch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ami_ros.commands import Command, of_width
from ami_ros.disc import Disc
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.simulation.contacts import Touch, TouchJudge, could_leave
from ami_ros.simulation.doors import Doors
from ami_ros.simulation.people.crowd import Crowd
from ami_ros.simulation.people.walkers import RobotDisc

MEETS, PARTS = 1.5, 2.5  # [m] of a gap from which somebody meets the robot, and has left it


class Company:
    """The face of a crowd to a simulated robot whose outline is `disc`."""

    def __init__(self, crowd: Crowd, disc: Disc, doors: Doors) -> None:
        self.crowd, self._disc, self._doors = crowd, disc, doors
        self._judge = TouchJudge()
        self._nearest = np.inf
        self.encounters = 0  # how often somebody has come within MEETS of the robot
        self._met = np.zeros(len(crowd.bodies), bool)

    @property
    def touches(self) -> tuple[Touch, ...]:
        """Contacts of the robot with what moves by itself, since construction."""
        return tuple(self._judge.touches)

    def beside(self, pose: Array) -> None:
        """The robot was put at `pose` (3,): who stands there makes room."""
        self._judge.forget()
        self.crowd.make_room(self._robot(pose, np.zeros(2)))

    def move(
        self, now: float, pose: Array, velocity: Array, driven: Command, seconds: float,
        open_door: Callable[[str, bool], None],
    ) -> None:  # fmt: skip
        """Everybody goes on for `seconds` from time `now` [s], with the robot at `pose` (3,) and `velocity` (2,) in the
        world's axes, `driven` by its motors; `open_door` is told of doors that they open and shut."""
        robot = self._robot(pose, velocity)
        linear, _, aside = of_width(driven, 3)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        drives = np.array([linear * c - aside * s, linear * s + aside * c])
        self._judge.note(now, robot.centre, self.crowd.poses[:, :2], drives)
        self.crowd.advance(seconds, robot)
        gaps = self.gaps(pose)
        self._nearest = min(self._nearest, float(gaps.min(initial=np.inf)))
        self.encounters += int(((gaps < MEETS) & ~self._met).sum())
        self._met = (gaps < MEETS) | (self._met & (gaps < PARTS))
        for name, is_open in self.crowd.doors_to_set(self._doors.open, robot, seconds):
            try:
                open_door(name, is_open)
            except AmiError:  # the robot stands in it
                pass

    def touched(self, now: float, name: str, pose: Array) -> None:
        """A contact with the body of that name begins."""
        index = next(i for i, body in enumerate(self.crowd.bodies) if body.name == name)
        leave = could_leave(pose, self._disc, self._doors.plan, self.crowd.poses, index)
        self._judge.touch(now, index, name, leave)

    def gaps(self, pose: Array) -> Array:
        """From the robot at `pose` (3,) to every body (n,) [m]; below 0 they touch."""
        return self.crowd.gaps(self._robot(pose, np.zeros(2)))

    def nearest(self) -> float:
        """How near anybody has come since this was asked last [m]; inf: nobody is there."""
        found, self._nearest = self._nearest, np.inf
        return found

    def future(self, pose: Array, times: Array) -> Array:
        """Where everybody will be (n, t, 2) at `times` (t,) from now [s] if the robot stays at `pose` (3,)."""
        return self.crowd.future(self._robot(pose, np.zeros(2)), times)

    def _robot(self, pose: Array, velocity: Array) -> RobotDisc:
        return RobotDisc(self._disc.centre(pose[None])[0], self._disc.radius, velocity)
