"""What a simulated robot offers: the protocol `Robot` and the plain values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, Command, of_width
from ami_ros.depth import Depth
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription, load_robot
from ami_ros.scan import Scan
from ami_ros.simulation.world import World

CONTROL_PERIOD = 0.02  # of the motor controller, and of odometry [s]
WIDEST = 640  # [px] that pictures are drawn across: models take less, and 1280 by 720 take a tenth of a second


@dataclass(frozen=True)
class Observation:
    """What the robot senses at `stamp` [s]."""

    stamp: float
    image: NDArray[np.uint8] | None  # (H, W, 3) RGB; None without a camera
    scan: Scan
    odometry: Array  # (3,) pose in odom, drifting
    velocity: Command  # measured; an omnidirectional robot has three numbers here


@dataclass(frozen=True)
class GroundTruth:
    """The truth in the frame `world`, for evaluation only."""

    pose: Array  # (3,)
    velocity: Command
    contacts: int  # begun so far, of the robot's body with anything but the floor


class Robot(Protocol):
    """A robot in a world, driven step by step. Deterministic: one seed and one sequence of calls, one run."""

    world: World
    description: RobotDescription

    @property
    def time(self) -> float:
        """Simulated time since construction [s]; resets do not turn it back."""
        ...

    @property
    def doors(self) -> dict[str, bool]:
        """Which doors are open, by name."""
        ...

    def reset(self, pose: Array | None = None, seed: int | None = None) -> None:
        """Puts the robot at rest at `pose` (3,) (None: a random free pose of the start area).

        Odometry gets a new random origin, heading and error. `seed` restarts the random numbers. Doors stay.
        Raises AmiError if the robot does not fit there.
        """
        ...

    def place(self, pose: Array) -> None:
        """Kidnaps the robot: at rest at `pose` (3,), while odometry goes on as if nothing had happened."""
        ...

    def step(self, command: Command, duration: float) -> None:
        """Drives at `command` (see `ami_ros.commands`) for `duration` [s], a multiple of CONTROL_PERIOD."""
        ...

    def observe(self) -> Observation:
        """Reads the sensors now. Draws fresh noise at each call."""
        ...

    def depth(self) -> Depth | None:
        """What the depth camera measures now, with fresh noise: (H, W) [m]; None without one."""
        ...

    def odometry(self) -> tuple[Array, Command]:
        """Pose (3,) in odom and velocity as in `observe`, without the cost of the other sensors."""
        ...

    def ground_truth(self) -> GroundTruth:
        """The true state now."""
        ...

    def set_door(self, name: str, is_open: bool) -> None:
        """Opens or closes a door. Raises AmiError for an unknown one, or one that would close on the robot."""
        ...


def simulated(robot: RobotDescription | str | Path) -> RobotDescription:
    """The description of a robot that can be simulated, by its name or file. Its pictures are WIDEST across at most.

    Raises:
        AmiError: there is none, or the simulator has no such robot.
    """
    found = robot if isinstance(robot, RobotDescription) else load_robot(robot)
    if found.laser is None:
        raise AmiError(f"robot {found.name} has no laser, and the simulator's robots need one: add it to its sensors")
    camera = found.camera
    if camera is None or camera.width <= WIDEST:
        return found
    scale = WIDEST / camera.width
    fx, fy, cx, cy = camera.matrix
    matrix = (scale * fx, scale * fy, scale * (cx + 0.5) - 0.5, scale * (cy + 0.5) - 0.5)
    lens = {"intrinsics": matrix} if camera.fov is None else {}
    return found.with_sensor(camera.name, width=WIDEST, height=round(scale * camera.height), **lens)


def at_rest(robot: RobotDescription) -> Command:
    """The velocity of a robot that stands, with as many numbers as its commands have."""
    return of_width(STILL, robot.command_dim)


def laser_height(robot: RobotDescription) -> float:
    """Of the plane of its scanner above the floor [m]; 0 where its description does not say."""
    return robot.laser.mount.z if robot.laser is not None and robot.laser.mount is not None else 0.0
