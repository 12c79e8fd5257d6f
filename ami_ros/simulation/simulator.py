"""The robot in a world, simulated by MuJoCo: driving with wheel slip, its sensors, and pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command, of_width
from ami_ros.core.depth import Depth
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.robots.description import DEFAULT, RobotDescription
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle
from ami_ros.simulation.mjcf import TIMESTEP, Camera, Puppets, build_model, mujoco, show_door
from ami_ros.simulation.noise import CameraNoise, SensorNoise, drawn_size, measured, plan_depth, scan_of, tinted
from ami_ros.simulation.people.crowd import Company
from ami_ros.simulation.robot import (
    CONTROL_PERIOD,
    GroundTruth,
    Observation,
    RobotInWorld,
    control_steps,
    curvature_of,
    wheel_angles,
)
from ami_ros.simulation.robot_model import BODY, BUMPER, DEPTH, STEERED, WHEEL_RADIUS, WHEELS, steering_of
from ami_ros.simulation.world import World

# Wheels that drive a robot in MuJoCo and measure how it moves: two that are driven, or those of a car.

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


FAR = -1e3  # [m] of where other robots are that nobody has told of
ANTIALIASING = 4  # samples a pixel


class Simulator(RobotInWorld):
    """With physics and pictures; see `RobotInWorld`. Rendering stays on the thread that made the simulator.

    Args:
        world, robot, seed, noise: see `RobotInWorld`.
        pictures: False: its camera takes none, depth is of the plan, and no OpenGL is needed.
        others: further robots of its kind in the world, far away until `show_other` says where they are.

    Raises:
        AmiError: there is no such world or robot, the robot cannot be simulated, or there is no OpenGL.
    """

    def __init__(
        self,
        world: World | str | Path = "home",
        robot: RobotDescription | str | Path = DEFAULT,
        seed: int = 0,
        noise: SensorNoise | None = None,
        pictures: bool = True,
        others: int = 0,
    ) -> None:
        super().__init__(world, robot, seed, noise)
        robot = self.description
        camera = robot.camera if pictures else None
        bodies = self._company.crowd.bodies if self._company else ()
        self._model = build_model(self.world, ANTIALIASING if camera else 0, robot, others, bodies)
        self._puppets = Puppets(self._model, bodies)
        self._data = mujoco.MjData(self._model)
        self._photo_data = mujoco.MjData(self._model)
        self._camera = None
        if camera is not None:
            self._camera = Camera(self._model, "onboard", (camera.height, camera.width), show_robot=False)
        self._depth_camera = None
        if robot.depth is not None and pictures:
            self._depth_camera = Camera(self._model, DEPTH, drawn_size(robot.depth), show_robot=False)
            self._depth_camera.measures_depth()
        self._wheels = wheels_of(robot, self._model, self._data)
        self._others = np.full((others, 3), FAR)
        self._bumper = self._model.geom(BUMPER).id
        self._lens = CameraNoise(self.noise, camera, seed) if camera is not None else None
        self._late = round(robot.simulated.camera_latency / CONTROL_PERIOD)
        self.reset()

    def reset(self, pose: Array | None = None, seed: int | None = None) -> None:
        """See `Robot.reset`."""
        if seed is not None and self._lens is not None:
            self._lens.restart(seed)
        super().reset(pose, seed)

    def place(self, pose: Array) -> None:
        """See `Robot.place`."""
        pose = self._doors.checked_pose(pose)
        mujoco.mj_resetData(self._model, self._data)
        self._place_others()
        self._put(self._data, pose)
        self._velocity = self._still
        self._motors.restart()
        if self._company is not None:
            self._company.beside(pose)
            self._puppets.show(self._data, self._company.crowd)
        # What the camera shows is the oldest.
        self._past: deque[tuple[Array, Array | None]] = deque([(pose, self._stances())], maxlen=self._late + 1)
        self._contacts.moved_elsewhere()

    def step(self, command: Command, duration: float) -> None:
        """See `Robot.step`."""
        for _ in range(control_steps(duration)):
            self._velocity = self._motors.approach(self._velocity, command)
            if self._company is not None:
                self._move_company(self._company)
            moved = self._glide() if self._wheels is None else self._wheels.roll(self._velocity, self.wheel_gains)
            self._odometry.advance(*moved)
            if self._late:
                self._past.append((self._pose(self._data), self._stances()))
            self._ticks += 1
            for begun in self._contacts.update(self._touched(), self.time):
                if isinstance(begun, str) and self._company is not None:
                    self._company.touched(self.time, begun, self._pose(self._data))

    def _glide(self) -> tuple[float, float, float]:
        """Drives in all directions for one control period; how far it came, as wheels tell that only measure."""
        self._data.ctrl[:] = self._motors.worn(self._velocity, self.wheel_gains)
        before = self._pose(self._data)
        mujoco.mj_step(self._model, self._data, nstep=TICKS)
        ahead, aside, turn = relative(before, self._pose(self._data))
        c, s = np.cos(turn / 2), np.sin(turn / 2)  # the way's own direction is that in the middle of the turn
        return float(c * ahead + s * aside), float(turn), float(c * aside - s * ahead)

    def observe(self) -> Observation:
        """See `Robot.observe`."""
        pose = self._pose(self._data)
        image = None
        if self._camera is not None and self._lens is not None:
            shown = self._shown()
            turning = float(self._data.qvel[5]) if self._lens.active else 0.0
            image = tinted(self._lens.taken(self._camera.picture(shown), turning), self.tint)
        scan = scan_of(self._doors.seen, pose, self._laser, self.noise, self._rng, self._passers_by())
        odometry, velocity = self.odometry()
        return Observation(
            stamp=self.time,
            image=image,
            scan=scan,
            odometry=odometry,
            velocity=velocity,
        )

    def depth(self) -> Depth | None:
        """See `Robot.depth`."""
        sensor = self.description.depth
        if sensor is None:
            return None
        if self._depth_camera is None:
            return measured(plan_depth(self._doors.seen, self._pose(self._data), sensor), sensor, self.noise, self._rng)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        return measured(np.asarray(self._depth_camera.picture(self._data), np.float32), sensor, self.noise, self._rng)

    def _shown(self) -> mujoco.MjData:
        """What a picture of now shows: the present, or with a latency the past."""
        if self._late:
            pose, stances = self._past[0]
            self._puppets.put(self._photo_data, stances)
            self._put(self._photo_data, pose)
            return self._photo_data
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        return self._data

    def odometry(self) -> tuple[Array, Command]:
        """See `Robot.odometry`."""
        velocity = self.ground_truth().velocity if self._wheels is None else self._wheels.velocity()
        return self._odometry.pose.copy(), self._odometry.velocity(velocity)

    def ground_truth(self) -> GroundTruth:
        """See `Robot.ground_truth`."""
        pose = self._pose(self._data)
        vx, vy, _, _, _, angular = self._data.qvel[:6]  # linear in the world's axes, angular in the body's
        c, s = np.cos(pose[2]), np.sin(pose[2])
        velocity = vx * c + vy * s, angular, vy * c - vx * s
        return GroundTruth(pose, of_width(velocity, len(self._still)), self._contacts.count)

    def set_door(self, name: str, is_open: bool) -> None:
        """See `Robot.set_door`."""
        self._doors.set(name, is_open, self._pose(self._data))
        show_door(self._model, name, is_open)

    def show_other(self, index: int, pose: Array) -> None:
        """Another robot is at `pose` (3,): camera and laser see it, and it is solid."""
        self._others[index] = pose
        self._place_others()

    def _place_others(self) -> None:
        half = self._others[:, 2] / 2
        for data in (self._data, self._photo_data):
            n = len(self._others)
            data.mocap_pos[:n, :2], data.mocap_pos[:n, 2] = self._others[:, :2], WHEEL_RADIUS
            data.mocap_quat[:n] = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], axis=-1)

    def _passers_by(self) -> FloorPlan | None:
        """Other robots and people, as the laser meets them."""
        people = self._company.crowd.seen() if self._company is not None else None
        if not len(self._others):
            return people
        disc = self.description.shape.disc
        size, middles = (disc.radius, disc.radius), disc.centre(self._others).tolist()
        robots = [Obstacle("robot", "cylinder", (x, y), 0.0, size, 1.0) for x, y in middles]
        return FloorPlan([*robots, *(people.obstacles if people else ())])

    def _where(self) -> Array:
        return self._pose(self._data)

    def _stances(self) -> Array | None:
        return self._puppets.stances(self._company.crowd) if self._company is not None and self._late else None

    def _move_company(self, company: Company) -> None:
        velocity = np.array(self._data.qvel[:2])
        company.move(self.time, self._pose(self._data), velocity, self._velocity, CONTROL_PERIOD, self.set_door)
        self._puppets.show(self._data, company.crowd)

    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that the camera would take with the robot at `pose` (3,), doors as they are now, and
        nobody there.

        The run is not disturbed. Raises AmiError without a camera.
        """
        if self._camera is None:
            raise AmiError(
                f"robot {self.description.name} takes no pictures here: it has no camera, or is not to use it"
            )
        self._puppets.put(self._photo_data, None)
        self._put(self._photo_data, np.asarray(pose, dtype=np.float64))
        picture = self._camera.picture(self._photo_data)
        return tinted(picture if self._lens is None else self._lens.taken(picture, photograph=True), self.tint)

    def close(self) -> None:
        """Gives back the OpenGL context."""
        for camera in (self._camera, self._depth_camera):
            if camera is not None:
                camera.close()

    def _touched(self) -> list[int | str]:
        """The geometries that the robot's body touches, and names of moving bodies; the floor never does."""
        pairs = self._data.contact.geom
        found = [int(b if a == self._bumper else a) for a, b in pairs if self._bumper in (a, b)]
        if self._company is None:
            return list(found)
        bodies = self._company.crowd.bodies
        return [bodies[self._puppets.geoms[g]].name if g in self._puppets.geoms else g for g in found]

    def _put(self, data: mujoco.MjData, pose: Array) -> None:
        start = self._model.joint(BODY).qposadr[0]
        half = pose[2] / 2
        data.qpos[start : start + 7] = pose[0], pose[1], WHEEL_RADIUS, np.cos(half), 0.0, 0.0, np.sin(half)
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)

    def _pose(self, data: mujoco.MjData) -> Array:
        x, y, _, qw, qx, qy, qz = data.qpos[:7]
        return np.array([x, y, np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))])
