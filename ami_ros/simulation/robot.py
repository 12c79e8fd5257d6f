"""What a simulated robot offers: the protocol `Robot` and the plain values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, Command, of_width
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.scan import Scan
from ami_ros.simulation.world import World

RADIUS = 0.18  # of the robot's disc [m]
TRACK = 0.26  # distance between the wheels [m]
MAX_LINEAR = 0.5  # [m/s]
MAX_ANGULAR = 1.8  # [rad/s]
MAX_LATERAL = 0.4  # [m/s] to either side, of the omnidirectional one
MAX_LINEAR_ACCELERATION = 1.0  # [m/s^2], of the omnidirectional one to the sides as well
MAX_ANGULAR_ACCELERATION = 4.0  # [rad/s^2]
CONTROL_PERIOD = 0.02  # of the motor controller, and of odometry [s]
VELOCITY_LAG = 0.06  # time constant of the wheels' velocity control [s]

DriveName = Literal["differential", "omnidirectional"]


@dataclass(frozen=True)
class Observation:
    """What the robot senses at `stamp` [s]."""

    stamp: float
    image: NDArray[np.uint8] | None  # (H, W, 3) RGB; None without a camera
    scan: Scan
    odometry: Array  # (3,) pose in odom, drifting
    velocity: Command  # measured; an omnidirectional robot has three numbers here
    heading: float | None  # compass [rad] with noise; only with the ceiling camera


@dataclass(frozen=True)
class GroundTruth:
    """The truth in the frame `world`, for evaluation only."""

    pose: Array  # (3,)
    velocity: Command
    contacts: int  # begun so far, of the robot's body with anything but the floor


class Robot(Protocol):
    """A robot in a world, driven step by step. Deterministic: one seed and one sequence of calls, one run."""

    world: World
    drive: DriveName

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

    def odometry(self) -> tuple[Array, Command]:
        """Pose (3,) in odom and velocity as in `observe`, without the cost of the other sensors."""
        ...

    def ground_truth(self) -> GroundTruth:
        """The true state now."""
        ...

    def set_door(self, name: str, is_open: bool) -> None:
        """Opens or closes a door. Raises AmiError for an unknown one, or one that would close on the robot."""
        ...


def at_rest(drive: DriveName) -> Command:
    """The velocity of a robot that stands, with as many numbers as its commands have.

    Raises:
        AmiError: there is no robot of that drive.
    """
    if drive not in get_args(DriveName):
        raise AmiError(f"unknown drive '{drive}': known are {', '.join(get_args(DriveName))}")
    return of_width(STILL, 3 if drive == "omnidirectional" else 2)
