"""What a simulated robot offers: the protocol `Robot` and the plain values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.scan import Scan
from ami_ros.simulation.world import World

RADIUS = 0.18  # of the robot's disc [m]
TRACK = 0.26  # distance between the wheels [m]
MAX_LINEAR = 0.5  # [m/s]
MAX_ANGULAR = 1.8  # [rad/s]
MAX_LINEAR_ACCELERATION = 1.0  # [m/s^2]
MAX_ANGULAR_ACCELERATION = 4.0  # [rad/s^2]
CONTROL_PERIOD = 0.02  # of the motor controller, and of odometry [s]
VELOCITY_LAG = 0.06  # time constant of the wheels' velocity control [s]


@dataclass(frozen=True)
class Observation:
    """What the robot senses at `stamp` [s]."""

    stamp: float
    image: NDArray[np.uint8] | None  # (H, W, 3) RGB; None without a camera
    scan: Scan
    odometry: Array  # (3,) pose in odom, drifting
    velocity: tuple[float, float]  # measured, [m/s] and [rad/s]
    heading: float | None  # compass [rad] with noise; only with the ceiling camera


@dataclass(frozen=True)
class GroundTruth:
    """The truth in the frame `world`, for evaluation only."""

    pose: Array  # (3,)
    velocity: tuple[float, float]  # [m/s], [rad/s]
    contacts: int  # begun so far, of the robot's body with anything but the floor


class Robot(Protocol):
    """A robot in a world, driven step by step. Deterministic: one seed and one sequence of calls, one run."""

    world: World

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

    def step(self, command: tuple[float, float], duration: float) -> None:
        """Drives at `command` (linear [m/s], angular [rad/s]) for `duration` [s], a multiple of CONTROL_PERIOD."""
        ...

    def observe(self) -> Observation:
        """Reads the sensors now. Draws fresh noise at each call."""
        ...

    def odometry(self) -> tuple[Array, tuple[float, float]]:
        """Pose (3,) in odom and velocity ([m/s], [rad/s]) as in `observe`, without the cost of the other sensors."""
        ...

    def ground_truth(self) -> GroundTruth:
        """The true state now."""
        ...

    def set_door(self, name: str, is_open: bool) -> None:
        """Opens or closes a door. Raises AmiError for an unknown one, or one that would close on the robot."""
        ...
