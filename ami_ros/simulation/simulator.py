"""The robot in a world, simulated by MuJoCo: driving with wheel slip, its sensors, and pictures."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command, of_width
from ami_ros.core.depth import Depth
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.robots.description import DEFAULT, RobotDescription
from ami_ros.simulation.floor_plan import FloorPlan, disc
from ami_ros.simulation.mjcf import AWAY, Camera, Puppets, build_model, mujoco, show_door
from ami_ros.simulation.noise import CameraNoise, SensorNoise, drawn_size, measured, tinted
from ami_ros.simulation.robot import CONTROL_PERIOD, GroundTruth, Robot, control_steps, curvature_of, wheel_angles
from ami_ros.simulation.robot_model import BODY, STEERED, WHEEL_RADIUS, WHEELS, steering_of
from ami_ros.simulation.world import World


class Wheels:
    """Wheels that drive a robot and measure how it moves: of a differential drive each has a motor; of a car one motor
    drives the rear wheels over a differential, and the front wheels are steered.

    The odometry of a car is the way of the rear wheels, and by the angles of the front wheels how it turned.
    """

    def __init__(self, robot: RobotDescription, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._drive, self._model, self._data = robot.drive, model, data
        joints = [model.joint(name) for name in WHEELS]
        self._angles, self._speeds = [j.qposadr[0] for j in joints], [j.dofadr[0] for j in joints]
        steered = map(steering_of, STEERED if robot.drive.kind == "ackermann" else ())
        self._steered = [model.joint(name).qposadr[0] for name in steered]

    def roll(self, velocity: Command, gains: tuple[float, float], ticks: int) -> tuple[float, float]:
        """Drives for so many ticks of the physics.

        Args:
            velocity: that is asked for [m/s, rad/s].
            gains: how fast wheels turn for what is asked of them, left and right; 1: as they should.

        Returns:
            How far the wheels went ahead [m] and to the left [rad], slipping or not.
        """
        linear, angular = velocity[:2]
        if not self._steered:
            turn = angular * self._drive.track / 2
            speeds = gains[0] * (linear - turn), gains[1] * (linear + turn)
            self._data.ctrl[:] = np.divide(speeds, WHEEL_RADIUS)
        else:
            self._data.ctrl[0] = sum(gains) / 2 * linear / WHEEL_RADIUS  # the differential makes one of both
            if linear != 0.0:
                self._data.ctrl[1:] = wheel_angles(self._drive, angular / linear)
        before = self._data.qpos[self._angles]
        mujoco.mj_step(self._model, self._data, nstep=ticks)
        return self._motion((self._data.qpos[self._angles] - before) * WHEEL_RADIUS)

    def velocity(self) -> Command:
        """How fast they go ahead [m/s] and to the left [rad/s], slipping or not."""
        return self._motion(self._data.qvel[self._speeds] * WHEEL_RADIUS)

    def _motion(self, wheels: Array) -> tuple[float, float]:
        """What the ways [m], or speeds [m/s], of the left and the right driven wheel (2,) say: ahead, to the left."""
        if self._steered:
            ahead, angles = float(wheels.mean()), self._data.qpos[self._steered].tolist()
            return ahead, ahead * curvature_of(self._drive, *angles)
        left, right = wheels.tolist()
        return (left + right) / 2, (right - left) / self._drive.track


class Simulator(Robot):
    """With physics and pictures; see `Robot`. Rendering stays on the thread that made the simulator.

    Args:
        world, robot, seed, noise: see `Robot`.
        pictures: False: its camera takes none, depth is of the plan, and no OpenGL is needed.
        others: further robots of its kind in the world, far away until `show_other` says where they are.

    Raises:
        AmiError: there is no such world or robot, the robot cannot be simulated, or there is no OpenGL.
    """

    def __init__(
        self, world: World | str | Path = "home", robot: RobotDescription | str | Path = DEFAULT, seed: int = 0,
        noise: SensorNoise | None = None, pictures: bool = True, others: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(world, robot, seed, noise)
        robot, bodies = self.description, self._company.crowd.bodies
        camera = robot.camera if pictures else None
        self._model = build_model(self.world, 4 if camera else 0, robot, others, bodies)
        self._puppets = Puppets(self._model, bodies)
        self._data = mujoco.MjData(self._model)
        self._photo_data = mujoco.MjData(self._model)
        self._camera = self._depth_camera = self._lens = None
        if camera is not None:
            self._camera = Camera(self._model, "onboard", (camera.height, camera.width), show_robot=False)
            self._lens = CameraNoise(self.noise, camera, seed)
        if robot.depth is not None and pictures:
            self._depth_camera = Camera(self._model, "depth", drawn_size(robot.depth), show_robot=False, depth=True)
        rolls = robot.drive.kind != "omnidirectional"
        self._wheels = Wheels(robot, self._model, self._data) if rolls else None
        self._others = np.full((others, 3), AWAY[0])
        self._bumper = self._model.geom("bumper").id
        self._late = round(robot.simulated.camera_latency / CONTROL_PERIOD)
        self._ticks_a_period = round(CONTROL_PERIOD / self._model.opt.timestep)
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
        self._company.beside(pose)
        self._puppets.put(self._data, self._puppets.stances(self._company.crowd))
        # What the camera shows is the oldest.
        self._past: deque[tuple[Array, Array | None]] = deque([(pose, self._past_stances())], maxlen=self._late + 1)
        self._contacts.moved_elsewhere()

    def step(self, command: Command, duration: float) -> None:
        """See `Robot.step`."""
        company = self._company
        for _ in range(control_steps(duration)):
            self._velocity = self._motors.approach(self._velocity, command)
            if company.crowd.bodies:
                velocity = np.array(self._data.qvel[:2])
                company.move(self.time, self._pose(), velocity, self._velocity, CONTROL_PERIOD, self.set_door)
                self._puppets.put(self._data, self._puppets.stances(company.crowd))
            if self._wheels is None:
                self._odometry.advance(*self._glide())
            else:
                self._odometry.advance(*self._wheels.roll(self._velocity, self.wheel_gains, self._ticks_a_period))
            if self._late:
                self._past.append((self._pose(), self._past_stances()))
            self._ticks += 1
            for begun in self._contacts.update(self._touched(), self.time):
                if isinstance(begun, str):
                    company.touched(self.time, begun, self._pose())

    def _glide(self) -> tuple[float, float, float]:
        """Drives in all directions for one control period; how far it came, as wheels tell that only measure."""
        self._data.ctrl[:] = self._motors.worn(self._velocity, self.wheel_gains)
        before = self._pose()
        mujoco.mj_step(self._model, self._data, nstep=self._ticks_a_period)
        ahead, aside, turn = relative(before, self._pose())
        c, s = np.cos(turn / 2), np.sin(turn / 2)  # the way's own direction is that in the middle of the turn
        return float(c * ahead + s * aside), float(turn), float(c * aside - s * ahead)

    def _picture(self) -> NDArray[np.uint8] | None:
        """What the camera gives now: the present, or with a latency the past."""
        if self._camera is None or self._lens is None:
            return None
        shown = self._data
        if self._late:
            pose, stances = self._past[0]
            shown = self._photo_data
            self._puppets.put(shown, stances)
            self._put(shown, pose)
        else:
            self._arrange(shown)
        turning = float(self._data.qvel[5]) if self._lens.active else 0.0
        return tinted(self._lens.taken(self._camera.picture(shown), turning), self.tint)

    def depth(self) -> Depth | None:
        """See `Robot.depth`."""
        sensor = self.description.depth
        if sensor is None or self._depth_camera is None:
            return super().depth()
        self._arrange(self._data)
        return measured(np.asarray(self._depth_camera.picture(self._data), np.float32), sensor, self.noise, self._rng)

    def _measured_velocity(self) -> Command:
        return self.ground_truth().velocity if self._wheels is None else self._wheels.velocity()

    def ground_truth(self) -> GroundTruth:
        """See `Robot.ground_truth`."""
        pose = self._pose()
        vx, vy, _, _, _, angular = self._data.qvel[:6]  # linear in the world's axes, angular in the body's
        c, s = np.cos(pose[2]), np.sin(pose[2])
        velocity = vx * c + vy * s, angular, vy * c - vx * s
        return GroundTruth(pose, of_width(velocity, len(self._still)), self._contacts.count)

    def set_door(self, name: str, is_open: bool) -> None:
        """See `Robot.set_door`."""
        super().set_door(name, is_open)
        show_door(self._model, name, is_open)

    def show_other(self, index: int, pose: Array) -> None:
        """Another robot is at `pose` (3,): camera and laser see it, and it is solid."""
        self._others[index] = pose
        self._place_others()

    def _place_others(self) -> None:
        n, half = len(self._others), self._others[:, 2] / 2
        for data in (self._data, self._photo_data):
            data.mocap_pos[:n, :2], data.mocap_pos[:n, 2] = self._others[:, :2], WHEEL_RADIUS
            data.mocap_quat[:n] = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], axis=-1)

    def _passers_by(self) -> FloorPlan | None:
        """Other robots and people, as the laser meets them."""
        people = super()._passers_by()
        if not len(self._others):
            return people
        shape = self.description.shape.disc
        robots = [disc("robot", middle, shape.radius, 1.0) for middle in shape.centre(self._others).tolist()]
        return FloorPlan([*robots, *(people.obstacles if people else ())])

    def _past_stances(self) -> Array | None:
        return self._puppets.stances(self._company.crowd) if self._late else None

    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """See `Robot.photograph`."""
        if self._camera is None or self._lens is None:
            raise AmiError(
                f"robot {self.description.name} takes no pictures here: it has no camera, or is not to use it"
            )
        self._puppets.put(self._photo_data, None)
        self._put(self._photo_data, np.asarray(pose, dtype=np.float64))
        return tinted(self._lens.taken(self._camera.picture(self._photo_data), photograph=True), self.tint)

    def close(self) -> None:
        """Gives back the OpenGL context."""
        for camera in (self._camera, self._depth_camera):
            if camera is not None:
                camera.close()

    def _touched(self) -> list[int | str]:
        """The geometries that the robot's body touches, and names of moving bodies; the floor never does."""
        pairs, bodies = self._data.contact.geom, self._company.crowd.bodies
        found = [int(b if a == self._bumper else a) for a, b in pairs if self._bumper in (a, b)]
        return [bodies[self._puppets.geoms[g]].name if g in self._puppets.geoms else g for g in found]

    def _put(self, data: mujoco.MjData, pose: Array) -> None:
        start = self._model.joint(BODY).qposadr[0]
        half = pose[2] / 2
        data.qpos[start : start + 7] = pose[0], pose[1], WHEEL_RADIUS, np.cos(half), 0.0, 0.0, np.sin(half)
        self._arrange(data)

    def _arrange(self, data: mujoco.MjData) -> None:
        """Puts bodies, cameras and lights where the state says."""
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)

    def _pose(self) -> Array:
        x, y, _, qw, qx, qy, qz = self._data.qpos[:7]
        return np.array([x, y, np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))])
