"""A robot explores at random while its memory watches: perception and memory as in the nodes, with the truth beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.images import encode_jpeg
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import Location
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.robot import Robot
from ami_ros.world_model.perception import Perception


class CameraRobot(Robot, Protocol):
    """A robot in simulation whose camera can be held anywhere."""

    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that its camera would take at `pose` (3,)."""
        ...


@dataclass(frozen=True)
class Moment:
    """What memory believed, and what was true."""

    time: float  # [s]
    truth: Array  # (3,) in the world's frame
    location: Location


@dataclass
class Expedition:
    """Call `begin`, then `step` for each PERIOD of driving.

    Attributes:
        robot: drives and senses.
        perception: makes latents of what it senses.
        memory: watches, and grows if it is configured to.
        rng: of the exploration.
        truths: the true pose (3,) at which each place was founded, by id.
    """

    robot: CameraRobot
    perception: Perception
    memory: PlaceMemory
    rng: np.random.Generator
    truths: dict[int, Array] = field(default_factory=dict)

    def begin(self, pose: Array) -> None:
        """The robot starts at `pose` (3,) of the world; odometry starts anywhere, and memory is told so."""
        self.robot.reset(pose)
        self.memory.restart()
        self._explorer = Explorer(self.rng, self.robot.drive)

    def kidnap(self, pose: Array) -> None:
        """The robot is at `pose` (3,) of the world; odometry goes on, and nobody tells memory."""
        self.robot.place(pose)
        self._explorer = Explorer(self.rng, self.robot.drive)

    def step(self) -> Moment:
        """One look, and then PERIOD of driving."""
        seen, truth = self.robot.observe(), self.robot.ground_truth().pose
        latent = self.perception.encode(seen.image, seen.scan, seen.heading)
        known = len(self.memory)
        thumbnail = encode_jpeg(seen.image) if self.memory.config.learning and seen.image is not None else None
        location = self.memory.observe(seen.stamp, latent, seen.odometry, thumbnail)
        self.truths |= {int(i): truth for i in self.memory.map.index.ids[known:]}
        self.robot.step(self._explorer.command(seen.scan), PERIOD)
        return Moment(seen.stamp, truth, location)
