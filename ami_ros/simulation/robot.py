"""A simulated robot: what it offers, its motors, and what robots with physics and without have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import STILL, Command, lateral, of_width
from ami_ros.core.depth import Depth
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.description import Drive, RobotDescription, load_robot
from ami_ros.core.scan import Scan
from ami_ros.simulation.contacts import ContactCounter, Touch
from ami_ros.simulation.floor_plan import Doors, FloorPlan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.noise import UNTINTED, Odometry, SensorNoise, measured, noise_of, plan_depth, scan_of
from ami_ros.simulation.people.crowd import Company, Crowd, MovingThing
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world

CONTROL_PERIOD = 0.02  # of the motor controller, and of odometry [s]


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


class Robot(ABC):
    """A robot in a world, driven step by step. Deterministic: one seed and one sequence of calls, one run.

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
        self._still, self._motors, self._laser = of_width(STILL, robot.command_dim), Motors(robot), robot.laser
        self.world = world if isinstance(world, World) else load_world(world)
        self.noise = noise or noise_of(robot)
        self._doors = Doors(self.world, robot.shape.radius, laser_height(robot))
        self._company = Company(Crowd(self.world, seed, laser_height(robot)), robot.shape.disc, self._doors)
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
        """Puts the robot at rest at `pose` (3,) (None: a random free pose of the start area).

        Odometry gets a new random origin, heading and error. `seed` restarts the random numbers. Doors stay.
        Raises AmiError if the robot does not fit there.
        """
        if seed is not None:
            self._rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
            self._company.crowd.restart(seed)
        if pose is None:
            pose = FreeSpace(self.world, self._doors.open, self.description.shape.radius).sample_start(self._rng)
        self.place(pose)
        self._odometry.restart()

    @abstractmethod
    def place(self, pose: Array) -> None:
        """Kidnaps the robot: at rest at `pose` (3,), while odometry goes on as if nothing had happened."""

    @abstractmethod
    def step(self, command: Command, duration: float) -> None:
        """Drives at `command` (see `ami_ros.core.commands`) for `duration` [s], a multiple of CONTROL_PERIOD."""

    @abstractmethod
    def ground_truth(self) -> GroundTruth:
        """The true state now."""

    @abstractmethod
    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that the camera would take with the robot at `pose` (3,), doors as they are now, and
        nobody there.

        The run is not disturbed. Raises AmiError where it takes no pictures.
        """

    @abstractmethod
    def _picture(self) -> NDArray[np.uint8] | None:
        """What the camera gives now."""

    @abstractmethod
    def _measured_velocity(self) -> Command:
        """What wheels without errors would measure now."""

    def observe(self) -> Observation:
        """Reads the sensors now. Draws fresh noise at each call."""
        image, pose = self._picture(), self.ground_truth().pose
        scan = scan_of(self._doors.seen, pose, self._laser, self.noise, self._rng, self._passers_by())
        return Observation(self.time, image, scan, *self.odometry())

    def odometry(self) -> tuple[Array, Command]:
        """Pose (3,) in odom and velocity as in `observe`, without the cost of the other sensors."""
        return self._odometry.pose.copy(), self._odometry.velocity(self._measured_velocity())

    def depth(self) -> Depth | None:
        """What the depth camera measures now, with fresh noise: (H, W) [m]; None without one."""
        sensor = self.description.depth
        if sensor is None:
            return None
        return measured(plan_depth(self._doors.seen, self.ground_truth().pose, sensor), sensor, self.noise, self._rng)

    def set_door(self, name: str, is_open: bool) -> None:
        """Opens or closes a door. Raises AmiError for an unknown one, or one that would close on the robot."""
        self._doors.set(name, is_open, self.ground_truth().pose)

    def _passers_by(self) -> FloorPlan | None:
        """Whoever moves about, as the laser meets them."""
        return self._company.crowd.seen()

    def moving_truth(self) -> tuple[MovingThing, ...]:
        """All that moves by itself in the world, as it is now."""
        return self._company.crowd.things()

    def moving_future(self, times: Array) -> Array:
        """Where all that moves by itself will be (n, t, 2) at `times` (t,) from now [s], rising, if the robot stays
        where it is. In the order of `moving_truth`, where nobody is away."""
        return self._company.future(self.ground_truth().pose, times)

    def nearest_approach(self) -> float:
        """How near anybody has come to the robot since this was asked last [m]; below 0: a touch; inf: nobody."""
        return self._company.nearest()

    @property
    def encounters(self) -> int:
        """How often somebody has come near the robot, since construction."""
        return self._company.encounters

    @property
    def touches(self) -> tuple[Touch, ...]:
        """Contacts with what moves by itself, since construction."""
        return tuple(self._company.judge.touches)


def simulated(robot: RobotDescription | str | Path, widest: int = 640) -> RobotDescription:
    """The description of a robot that can be simulated, by its name or file. Its pictures are `widest` [px] across at
    most: models take less, and 1280 by 720 take a tenth of a second.

    Raises:
        AmiError: there is none, or the simulator has no such robot.
    """
    found = robot if isinstance(robot, RobotDescription) else load_robot(robot)
    if found.laser is None:
        raise AmiError(f"robot {found.name} has no laser, and the simulator's robots need one: add it to its sensors")
    camera = found.camera
    if camera is None or camera.width <= widest:
        return found
    scale = widest / camera.width
    fx, fy, cx, cy = camera.matrix
    matrix = (scale * fx, scale * fy, scale * (cx + 0.5) - 0.5, scale * (cy + 0.5) - 0.5)
    lens = {"intrinsics": matrix} if camera.fov is None else {}
    return found.with_sensor(camera.name, width=widest, height=round(scale * camera.height), **lens)


def laser_height(robot: RobotDescription) -> float:
    """Of the plane of its scanner above the floor [m]; 0 where its description does not say."""
    return robot.laser.mount.z if robot.laser is not None and robot.laser.mount is not None else 0.0


# Motors. The axes of all four wheels of a car meet in one point on the line of the rear axle, so that none of them
# slips sideways (Ackermann's geometry: R. Siegwart, I. Nourbakhsh and D. Scaramuzza, Introduction to Autonomous Mobile
# Robots, 2nd edition, 2011, section 3.3). base_link is the middle of the rear axle, which always moves straight ahead.
# A curve is told by its curvature [1/m], positive to the left.


class Steering:
    """The front wheels of `robot`: `angle` [rad] is that of one in the middle between them."""

    def __init__(self, robot: RobotDescription) -> None:
        self._wheelbase = robot.drive.wheelbase
        self._limit = math.atan(self._wheelbase / robot.drive.turning_radius)
        self._most = robot.simulated.steering_rate * CONTROL_PERIOD
        self.angle = 0.0

    def follow(self, command: Command) -> float:
        """Steers for one control period towards the curve of `command`; the curvature [1/m] that is steered then.

        At a speed of zero a command is no curve: the wheels stay as they are, and the car does not turn.
        """
        linear, angular = command[:2]
        if linear != 0.0:
            wanted = math.atan(self._wheelbase * angular / linear)
            wanted = max(-self._limit, min(wanted, self._limit))
            self.angle += max(-self._most, min(wanted - self.angle, self._most))
        return math.tan(self.angle) / self._wheelbase


def wheel_angles(drive: Drive, curvature: float) -> tuple[float, float]:
    """Angles [rad] of the left and the right front wheel for a curve; the inner one is turned more."""
    ahead, half = drive.wheelbase * curvature, drive.track / 2 * curvature
    return math.atan2(ahead, 1.0 - half), math.atan2(ahead, 1.0 + half)


def curvature_of(drive: Drive, left: float, right: float) -> float:
    """The curve [1/m] that front wheels at these angles [rad] lead into: the mean of what each says."""
    half = drive.track / 2
    ours = math.tan(left) / (drive.wheelbase + half * math.tan(left))
    theirs = math.tan(right) / (drive.wheelbase - half * math.tan(right))
    return (ours + theirs) / 2


def control_steps(duration: float) -> int:
    """How many control periods make `duration` [s]; at least one."""
    steps = round(duration / CONTROL_PERIOD)
    if steps < 1 or abs(steps * CONTROL_PERIOD - duration) > 1e-6:
        raise AmiError(f"a step must last a multiple of {CONTROL_PERIOD} s, not {duration} s")
    return steps


def greatest_change(robot: RobotDescription) -> Command:
    """Acceleration of each number of a command [1/s]."""
    motors = robot.simulated
    return motors.linear_acceleration, motors.angular_acceleration, motors.linear_acceleration


class Motors:
    """The motors of `robot`, which bring a wanted velocity within the limits of speed and acceleration."""

    def __init__(self, robot: RobotDescription) -> None:
        limits = robot.limits
        self._low = -limits.backward, -limits.angular, -limits.lateral
        self._high = limits.linear, limits.angular, limits.lateral
        self._most = tuple(change * CONTROL_PERIOD for change in greatest_change(robot))
        self._track = robot.drive.track
        self._steering = Steering(robot) if robot.drive.kind == "ackermann" else None
        self._delay = round(robot.simulated.dead_time / CONTROL_PERIOD)
        self.restart()

    def restart(self) -> None:
        """At rest, with no commands on their way."""
        self._waiting: deque[Command] = deque([STILL] * self._delay)
        if self._steering is not None:
            self._steering.angle = 0.0

    def approach(self, current: Command, command: Command) -> Command:
        """The velocity to ask of the wheels one control period after `current`, on the way to `command`.

        It has the numbers of `current`: a robot that does not drive sideways leaves that part of a command out. A car
        turns as fast as its speed and its steering let it.
        """
        if not all(map(math.isfinite, command)):
            raise AmiError(f"a command must be finite, found {command}")
        self._waiting.append(command)
        wanted = of_width(self._waiting.popleft(), len(current))
        reached = tuple(
            float(np.clip(np.clip(value, low, high), now - most, now + most))
            for value, now, low, high, most in zip(wanted, current, self._low, self._high, self._most, strict=False)
        )
        return reached if self._steering is None else (reached[0], reached[0] * self._steering.follow(wanted))

    def stalled(self, velocity: Command) -> Command:
        """What is left of a velocity where something is in the way: all but a car still turn."""
        return of_width((0.0, 0.0 if self._steering is not None else velocity[1]), len(velocity))

    def worn(self, velocity: Command, gains: tuple[float, float]) -> Command:
        """What becomes of a velocity when the wheels of the left and of the right side turn too fast or too slowly.

        Args:
            velocity: that is asked for.
            gains: how fast wheels turn for what is asked of them, left and right; 1: as they should.
        """
        if self._steering is not None:  # its differential makes one of both
            return tuple(sum(gains) / 2 * value for value in velocity)
        turn = velocity[1] * self._track / 2
        left, right = gains[0] * (velocity[0] - turn), gains[1] * (velocity[0] + turn)
        whole = (left + right) / 2, (right - left) / self._track, sum(gains) / 2 * lateral(velocity)
        return of_width(whole, len(velocity))
