"""A robot explores at random while its memory watches, with the truth beside."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ami_ros.commands import STILL, Command
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.places.types import Location
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.place_memory import PlaceMemory


@dataclass(frozen=True)
class Belief:
    """Where memory believed the robot to be, and where it truly was."""

    time: float  # [s]
    truth: Array  # (3,) in the world's frame
    location: Location


class RandomDriver:
    """Drives the simulated robot in place of the planner, as when data is recorded: a new command each PERIOD."""

    def __init__(self, loop: ClosedLoop, rng: np.random.Generator) -> None:
        self._loop, self._explorer = loop, Explorer(rng, loop.simulator.description)
        self._command: Command = STILL
        self._due = loop.simulator.time

    def __call__(self) -> Command:
        """The command of this moment."""
        seen = self._loop.seen
        if seen is not None and self._loop.simulator.time > self._due - 1e-6:
            self._command = self._explorer.command(seen.scan)
            self._due += PERIOD
        return self._command


@dataclass
class Expedition:
    """Call `begin`, then `step` for each PERIOD of driving.

    Attributes:
        loop: robot and agent; its memory grows if it is configured to.
        rng: of the exploration.
        truths: the true pose (3,) at which each place was founded, by id.
    """

    loop: ClosedLoop
    rng: np.random.Generator
    truths: dict[int, Array] = field(default_factory=dict)

    @property
    def memory(self) -> PlaceMemory:
        """Watches."""
        return self.loop.memory

    @property
    def robot(self) -> Simulator:
        """Drives and senses."""
        return self.loop.simulator

    def begin(self, pose: Array) -> None:
        """The robot is switched on at `pose` (3,) of the world; odometry starts anywhere."""
        self.robot.reset(pose)
        self.loop.restart()
        self.loop.commanded = RandomDriver(self.loop, self.rng)

    def kidnap(self, pose: Array) -> None:
        """The robot is at `pose` (3,) of the world; odometry goes on, and nobody tells memory."""
        self.robot.place(pose)
        self.loop.commanded = RandomDriver(self.loop, self.rng)

    def step(self) -> Belief:
        """PERIOD of driving, and what was believed at its end."""
        until = self.robot.time + PERIOD - 1e-6
        location = self.memory.location()
        while self.robot.time < until or location is None:
            known, here = len(self.memory), self.robot.ground_truth().pose
            self.loop.tick()
            self.truths |= {int(i): here for i in self.memory.map.index.ids[known:]}
            location = self.memory.location()
        return Belief(location.stamp, self.loop.truth_at(location.stamp), location)
