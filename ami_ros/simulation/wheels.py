"""Wheels that drive a robot in MuJoCo and measure how it moves: two that are driven, or those of a car."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.drive import curvature_of, wheel_angles
from ami_ros.simulation.mjcf import TIMESTEP
from ami_ros.simulation.rendering import mujoco
from ami_ros.simulation.robot import CONTROL_PERIOD
from ami_ros.simulation.robot_model import STEERED, WHEEL_RADIUS, WHEELS, steering_of

TICKS = round(CONTROL_PERIOD / TIMESTEP)  # of the physics in a control period


class Wheels(ABC):
    """What the robot rolls on: the two wheels that are driven, and what else there is."""

    def __init__(self, robot: RobotDescription, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._drive, self._model, self._data = robot.drive, model, data
        joints = [model.joint(name) for name in WHEELS]
        self._angles, self._speeds = [j.qposadr[0] for j in joints], [j.dofadr[0] for j in joints]

    def roll(self, velocity: Command, gains: tuple[float, float]) -> tuple[float, float]:
        """Drives for one control period.

        Args:
            velocity: that is asked for [m/s, rad/s].
            gains: how fast wheels turn for what is asked of them, left and right; 1: as they should.

        Returns:
            How far the wheels went ahead [m] and to the left [rad], slipping or not.
        """
        self._ask(velocity, gains)
        before = self._data.qpos[self._angles]
        mujoco.mj_step(self._model, self._data, nstep=TICKS)
        return self._motion((self._data.qpos[self._angles] - before) * WHEEL_RADIUS)

    def velocity(self) -> Command:
        """How fast they go ahead [m/s] and to the left [rad/s], slipping or not."""
        return self._motion(self._data.qvel[self._speeds] * WHEEL_RADIUS)

    @abstractmethod
    def _ask(self, velocity: Command, gains: tuple[float, float]) -> None:
        """Tells the motors."""

    @abstractmethod
    def _motion(self, wheels: Array) -> tuple[float, float]:
        """What the ways [m], or speeds [m/s], of the left and the right driven wheel (2,) say: ahead, to the left."""


class TwoWheels(Wheels):
    """A differential drive: each wheel has a motor."""

    def _ask(self, velocity: Command, gains: tuple[float, float]) -> None:
        linear, turn = velocity[0], velocity[1] * self._drive.track / 2
        speeds = gains[0] * (linear - turn), gains[1] * (linear + turn)
        self._data.ctrl[:] = np.divide(speeds, WHEEL_RADIUS)

    def _motion(self, wheels: Array) -> tuple[float, float]:
        left, right = wheels.tolist()
        return (left + right) / 2, (right - left) / self._drive.track


class CarWheels(Wheels):
    """A car: one motor drives the rear wheels over a differential, and the front wheels are steered.

    Its odometry is that of cars: the way of the rear wheels, and by the angles of the front wheels how it turned.
    """

    def __init__(self, robot: RobotDescription, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        super().__init__(robot, model, data)
        self._steered = [model.joint(steering_of(name)).qposadr[0] for name in STEERED]

    def _ask(self, velocity: Command, gains: tuple[float, float]) -> None:
        linear, angular = velocity[:2]
        self._data.ctrl[0] = sum(gains) / 2 * linear / WHEEL_RADIUS  # the differential makes one of both
        if linear != 0.0:
            self._data.ctrl[1:] = wheel_angles(self._drive, angular / linear)

    def _motion(self, wheels: Array) -> tuple[float, float]:
        ahead, (left, right) = float(wheels.mean()), self._data.qpos[self._steered].tolist()
        return ahead, ahead * curvature_of(self._drive, left, right)


KINDS: dict[str, type[Wheels]] = {"differential": TwoWheels, "ackermann": CarWheels}


def wheels_of(robot: RobotDescription, model: mujoco.MjModel, data: mujoco.MjData) -> Wheels | None:
    """The wheels of `robot`; None: an omnidirectional one has none that are simulated."""
    kind = KINDS.get(robot.drive.kind)
    return None if kind is None else kind(robot, model, data)
