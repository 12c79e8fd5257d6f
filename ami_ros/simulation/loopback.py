"""A robot without physics and rendering: it does what it is told and stops at obstacles. For tests, and very cheap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command, of_width, speed
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.description import DEFAULT, RobotDescription
from ami_ros.simulation.noise import SensorNoise, tinted
from ami_ros.simulation.robot import CONTROL_PERIOD, GroundTruth, Robot, control_steps
from ami_ros.simulation.world import World


class Loopback(Robot):
    """Kinematic; see `Robot`.

    Args:
        image_size: height and width of the pictures [pixels]; None: no pictures. They show a pattern that depends on
            the pose and nothing else, at the price of no rendering.
        world, seed, noise, robot: see `Robot`; the robot's camera does not count.
    """

    def __init__(
        self, world: World | str | Path = "empty", image_size: int | None = None, seed: int = 0,
        noise: SensorNoise | None = None, robot: RobotDescription | str | Path = DEFAULT,
    ) -> None:  # fmt: skip
        super().__init__(world, robot, seed, noise)
        self._disc = self.description.shape.disc
        # Of the gap to the wanted velocity closed in one period.
        self._follow = 1.0 - float(np.exp(-CONTROL_PERIOD / self.description.simulated.lag))
        self._image_size = image_size
        self.reset()

    def place(self, pose: Array) -> None:
        """See `Robot.place`."""
        self._pose = self._doors.checked_pose(pose)
        self._wanted = self._velocity = self._still
        self._motors.restart()
        self._contacts.moved_elsewhere()
        self._company.beside(self._pose)
        self._slack = 0.0  # so far it can go for sure without touching anything [m]

    def step(self, command: Command, duration: float) -> None:
        """See `Robot.step`."""
        for _ in range(control_steps(duration)):
            self._wanted = self._motors.approach(self._wanted, command)
            self._move_company()
            turning = self._motors.worn(self._wanted, self.wheel_gains)
            moving = tuple(v + self._follow * (w - v) for v, w in zip(self._velocity, turning, strict=True))
            distance, turn, aside = (CONTROL_PERIOD * value for value in of_width(moving, 3))
            middle = self._pose[2] + turn / 2  # half of the turn before the way, half after it
            c, s = np.cos(middle), np.sin(middle)
            ahead = self._pose[:2] + distance * np.array([c, s]) + aside * np.array([-s, c])
            way = speed(moving) * CONTROL_PERIOD + abs(turn * self._disc.middle)
            if self._runs_into(np.array([*ahead, self._pose[2] + turn]), way):
                self._contacts.update(["obstacle"], self.time)
                moving = self._motors.stalled(moving)
                distance, turn, aside = (CONTROL_PERIOD * value for value in of_width(moving, 3))
                ahead = self._pose[:2]
                if self._runs_into(np.array([*ahead, self._pose[2] + turn]), abs(turn * self._disc.middle)):
                    moving, turn = self._still, 0.0  # its disc turns about a point beside its middle
            self._velocity = moving
            self._pose = np.array([*ahead, (self._pose[2] + turn + np.pi) % (2 * np.pi) - np.pi])
            self._odometry.advance(distance, turn, aside)
            self._ticks += 1

    def _move_company(self) -> None:
        company = self._company
        company.move(self.time, self._pose, None, self._velocity, CONTROL_PERIOD, self.set_door)
        touched = [company.crowd.bodies[index].name for index in np.flatnonzero(company.gaps(self._pose) < 0.0)]
        for name in self._contacts.update(touched, self.time):
            company.touched(self.time, str(name), self._pose)

    def _runs_into(self, ahead: Array, distance: float) -> bool:
        """Whether moving by `distance` [m] to `ahead` (3,) would touch something; moving away from it always works."""
        now, then = self._company.gaps(self._pose), self._company.gaps(ahead)
        if ((then < 0.0) & (then < now) & (now < 0.0)).any():  # it may come as near as to be felt
            return True
        self._slack -= abs(distance)
        if self._slack > 0.0:
            return False
        here, there = self._doors.plan.clearance(self._disc.centre(np.stack([self._pose, ahead])))
        blocked = bool(there < self._disc.radius and there < here)
        self._slack = (here if blocked else there) - self._disc.radius
        return blocked

    def ground_truth(self) -> GroundTruth:
        """See `Robot.ground_truth`."""
        return GroundTruth(self._pose.copy(), self._velocity, self._contacts.count)

    def set_door(self, name: str, is_open: bool) -> None:
        """See `Robot.set_door`."""
        super().set_door(name, is_open)
        self._slack = 0.0

    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """See `Robot.photograph`."""
        if self._image_size is None:
            raise AmiError("a loopback robot without an image size takes no pictures: give it one")
        return tinted(_pattern(np.asarray(pose, dtype=np.float64), self._image_size), self.tint)

    def _picture(self) -> NDArray[np.uint8] | None:
        return None if self._image_size is None else self.photograph(self._pose)

    def _measured_velocity(self) -> Command:
        return self._velocity


def _pattern(pose: Array, size: int) -> NDArray[np.uint8]:
    """Waves (size, size, 3) whose phases are the pose's: smooth in it, and different for different poses."""
    across = np.linspace(0.0, 2 * np.pi, size, endpoint=False)
    x, y, yaw = pose
    horizontal = np.stack([np.sin(across + x), np.sin(2 * across + y), np.sin(across + yaw)], axis=-1)
    vertical = np.stack([np.cos(across + y), np.cos(across + yaw), np.cos(2 * across + x)], axis=-1)
    return np.asarray(127.5 + 63.5 * (vertical[:, None] + horizontal[None]), dtype=np.uint8)
