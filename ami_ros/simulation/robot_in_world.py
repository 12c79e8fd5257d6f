"""What both simulated robots share, with physics and without: world, doors, people, noise and odometry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.contacts import ContactCounter, Touch
from ami_ros.simulation.doors import Doors
from ami_ros.simulation.drive import Motors
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.noise import UNTINTED, Odometry, SensorNoise, noise_of
from ami_ros.simulation.people.company import Company
from ami_ros.simulation.people.crowd import Crowd, MovingThing
from ami_ros.simulation.robot import CONTROL_PERIOD, at_rest, laser_height, simulated
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world


class RobotInWorld(ABC):
    """A `Robot` (see robot.py), but for how it moves and what it senses.

    Args:
        world: a world, or what `load_world` takes.
        robot: its description, or what `load_robot` takes.
        seed: of all that is random: start poses and noise.
        noise: of the sensors; None: as described.

    Attributes:
        wheel_gains: left, right: how fast wheels turn for what is asked of them; worn ones differ.
        tint: what the camera makes of red, green and blue.

    Raises:
        AmiError: there is no such world or robot, or the robot cannot be simulated.
    """

    def __init__(
        self, world: World | str | Path, robot: RobotDescription | str | Path, seed: int, noise: SensorNoise | None
    ) -> None:
        self.description = robot = simulated(robot)
        assert robot.laser is not None, "checked by simulated()"
        self._still, self._motors, self._laser = at_rest(robot), Motors(robot), robot.laser
        self.world = world if isinstance(world, World) else load_world(world)
        self.noise = noise or noise_of(robot)
        self._doors = Doors(self.world, robot.shape.radius, laser_height(robot))
        crowd = Crowd(self.world, seed, laser_height(robot)) if self.world.people else None
        self._company = Company(crowd, robot.shape.disc, self._doors) if crowd else None
        self._rng = np.random.default_rng(seed)
        self._odometry = Odometry(self.noise, self._rng)
        self._ticks = 0
        self._contacts = ContactCounter()
        self.wheel_gains, self.tint = (1.0, 1.0), UNTINTED

    @property
    def time(self) -> float:
        """Simulated time since construction [s]; resets do not turn it back."""
        return self._ticks * CONTROL_PERIOD

    @property
    def doors(self) -> dict[str, bool]:
        """Which doors are open, by name."""
        return dict(self._doors.open)

    def reset(self, pose: Array | None = None, seed: int | None = None) -> None:
        """See `Robot.reset`."""
        if seed is not None:
            self._rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
            if self._company is not None:
                self._company.crowd.restart(seed)
        if pose is None:
            pose = FreeSpace(self.world, self._doors.open, self.description.shape.radius).sample_start(self._rng)
        self.place(pose)
        self._odometry.restart()

    @abstractmethod
    def place(self, pose: Array) -> None:
        """See `Robot.place`."""

    @abstractmethod
    def _where(self) -> Array:
        """The true pose (3,) of the robot."""

    def moving_truth(self) -> tuple[MovingThing, ...]:
        """All that moves by itself in the world, as it is now."""
        return () if self._company is None else self._company.crowd.things()

    def moving_future(self, times: Array) -> Array:
        """Where all that moves by itself will be (n, t, 2) at `times` (t,) from now [s], rising, if the robot stays
        where it is. In the order of `moving_truth`, where nobody is away."""
        if self._company is None:
            return np.zeros((0, len(times), 2))
        return self._company.future(self._where(), times)

    def nearest_approach(self) -> float:
        """How near anybody has come to the robot since this was asked last [m]; below 0: a touch; inf: nobody."""
        return float("inf") if self._company is None else self._company.nearest()

    @property
    def encounters(self) -> int:
        """How often somebody has come near the robot, since construction."""
        return 0 if self._company is None else self._company.encounters

    @property
    def touches(self) -> tuple[Touch, ...]:
        """Contacts with what moves by itself, since construction."""
        return () if self._company is None else self._company.touches
