"""A simulated robot on the topics of a real one: a thread in step with the wall clock, and the node around it."""

from __future__ import annotations

import math
import queue
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header, String, UInt32
from std_srvs.srv import Trigger

from ami_interfaces.srv import Photograph, PlaceRobot, SetDoor
from ami_ros.core.commands import STILL, Command
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from ami_ros.core.robots.description import DEFAULT, RobotDescription
from ami_ros.core.robots.sensors import Sensor
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR, TF_STATIC
from ami_ros.ros.scanner import TFMessage, send_transform, sensor_frames, tf_publisher, transform_message
from ami_ros.simulation.gazebo.robot_sdf import robot_urdf
from ami_ros.simulation.noise import noise_of
from ami_ros.simulation.robot import CONTROL_PERIOD, Observation, Robot, simulated
from ami_ros.simulation.robot_model import WHEEL_RADIUS, wheel_places

# A simulated robot on a thread of its own, kept in step with the wall clock.

RobotT = TypeVar("RobotT", bound=Robot)
T = TypeVar("T")


@dataclass(frozen=True)
class LoopConfig:
    """How a simulated robot keeps in step."""

    command_timeout: float = 0.5  # [s] simulated, without a command, after which a robot stops by itself
    max_lag: float = 0.1  # [s] that the simulation tries to make up for; more is dropped


class SimulationLoop(Generic[RobotT]):
    """Makes a robot, then steps it one CONTROL_PERIOD after another; nothing else may touch the robot.

    Args:
        make_robot: called on the loop's thread, for OpenGL is bound to one thread.
        real_time_factor: simulated seconds in a second; 0: as fast as possible.
        follows: it goes no further than `go_to` says, at whatever pace.
        on_tick: called on the loop's thread with the robot and the number of steps so far.
        config: see there.

    Raises:
        Exception: whatever `make_robot` raised.
    """

    def __init__(
        self,
        make_robot: Callable[[], RobotT],
        real_time_factor: float,
        on_tick: Callable[[RobotT, int], None],
        follows: bool = False,
        config: LoopConfig | None = None,
    ) -> None:
        self.config = config or LoopConfig()
        self._make_robot, self.factor, self._on_tick = make_robot, real_time_factor, on_tick
        self._calls: queue.SimpleQueue[tuple[Callable[[RobotT], Any], Future[Any]]] = queue.SimpleQueue()
        self._command, self._command_age = STILL, 0.0
        self._closing, self._further = threading.Event(), threading.Event()
        self._until = 0.0 if follows else math.inf  # [s] of the robot's time
        self._running: Future[None] = Future()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self._thread.start()
        self._running.result()

    def command(self, *command: float) -> None:
        """Sets the command from now on, see `ami_ros.core.commands`."""
        self._command, self._command_age = command, 0.0

    def call(self, function: Callable[[RobotT], T], timeout: float = 5.0) -> T:
        """Runs `function` with the robot between two steps, and returns or raises what it does."""
        future: Future[T] = Future()
        self._calls.put((function, future))
        return future.result(timeout)

    def tell(self, function: Callable[[RobotT], object]) -> None:
        """Runs `function` with the robot between two steps, and does not wait for it."""
        self._calls.put((function, Future()))

    def go_to(self, time: float) -> None:
        """It may go on up to `time` [s] of the robot's."""
        self._until = time
        self._further.set()

    def close(self) -> None:
        """Ends the thread."""
        self._closing.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            robot = self._make_robot()
        except Exception as error:
            self._running.set_exception(error)
            return
        self._running.set_result(None)
        try:
            self._drive(robot)
        except Exception as error:  # the node asks for it, and ends
            self.failure = error
        finally:
            getattr(robot, "close", lambda: None)()

    def _drive(self, robot: RobotT) -> None:
        ticks, due = 0, time.monotonic()
        while not self._closing.is_set():
            self._answer_calls(robot)
            if robot.time + CONTROL_PERIOD > self._until + 1e-6:  # [s] of rounding
                self._further.wait(CONTROL_PERIOD)
                self._further.clear()
                continue
            late = self._command_age >= self.config.command_timeout
            robot.step(STILL if late else self._command, CONTROL_PERIOD)
            self._command_age += CONTROL_PERIOD
            ticks += 1
            self._on_tick(robot, ticks)
            if self.factor > 0:
                due = max(due + CONTROL_PERIOD / self.factor, time.monotonic() - self.config.max_lag)
                time.sleep(max(0.0, due - time.monotonic()))

    def _answer_calls(self, robot: RobotT) -> None:
        while not self._calls.empty():
            function, future = self._calls.get()
            try:
                future.set_result(function(robot))
            except Exception as error:  # the caller's to handle
                future.set_exception(error)


# Shared by the nodes of simulated robots: the topics of a real robot, and services of simulation only.


@dataclass(frozen=True)
class RobotParameters:
    """Parameters that every simulated robot has."""

    world: str = parameter("home", "Name of a world that comes with the package, or a world file.")
    robot: str = parameter(DEFAULT, "Name of a robot in config/robots, or its file.")
    seed: int = parameter(0, "Seed of start poses and noise.", limits=(0, 2**31 - 1))
    start_pose: tuple[float, ...] = parameter(
        (), "x, y, yaw in the world's frame; empty: random in the start area.", "m, m, rad"
    )
    noise_scale: float = parameter(1.0, "Factor on all sensor noise; 0: perfect sensors.", limits=(0.0, 10.0))
    real_time_factor: float = parameter(
        1.0, "Simulated seconds in a second; 0: as fast as possible.", limits=(0.0, 100.0), mutable=True
    )

    follow_clock: bool = parameter(
        False, "Go with the /clock of another simulated robot and publish none: one clock for all robots."
    )

    def __post_init__(self) -> None:
        if len(self.start_pose) not in (0, 3) or not np.isfinite(self.start_pose).all():
            raise ValueError(f"start_pose must be empty or x, y, yaw, found {list(self.start_pose)}")


ParametersT = TypeVar("ParametersT", bound=RobotParameters)


def wheel_frames(robot: RobotDescription, stamp: Any) -> list[TransformStamped]:
    """Where the wheels of `robot_description` are.

    They do not turn there. RViz shows an error for a robot that lacks the frame of a link.
    """
    header, found = conversions.header_at(stamp, robot.frames.base), []
    for name, (x, y) in wheel_places(robot.drive).items():
        pose = conversions.pose_to_message((x, y, 0.0))
        pose.position.z = WHEEL_RADIUS
        found.append(transform_message(header, name, pose))
    return found


class RobotNode(AmiNode[ParametersT]):
    """Publishes the robot's sensors and executes its commands. Derived classes make the robot."""

    @abstractmethod
    def make_robot(self) -> Robot:
        """The robot; called on the thread that will step it."""

    camera_info: bool = True  # pictures are those of the camera that is described

    def configure(self) -> None:
        config = self.config
        self.health.inputs.own_time = False  # stamps are of the time that it makes
        self.description = simulated(config.robot)
        self.noise = noise_of(self.description, config.noise_scale)
        self._clock_topic = None if config.follow_clock else self.publisher(Clock, "/clock", SENSOR)
        self._ahead = 0.0  # [s] of the time that is published before the robot's own
        self._image = self.publisher(Image, "image")
        self._camera_info = self.publisher(CameraInfo, "camera_info")
        self._scan = self.publisher(LaserScan, "scan") if self.description.has_laser else None
        if self.description.depth is not None:
            self._depth, self._depth_info = self.publisher(Image, "depth"), self.publisher(CameraInfo, "depth_info")
        self._odom = self.publisher(Odometry, "odom")
        self._truth = self.publisher(PoseStamped, "ground_truth")
        self._contacts = self.publisher(UInt32, "~/contacts")
        self._urdf = self.publisher(String, "robot_description", LATCHED)
        self._tf = tf_publisher(self)
        self._mounts = self.publisher(TFMessage, "/tf_static", TF_STATIC) if TFMessage is not None else None
        self._ticks = {s.name: max(1, round(1.0 / s.rate / CONTROL_PERIOD)) for s in self.description.sensors}
        self.loop: SimulationLoop[Any] = SimulationLoop(
            self._start, 0.0 if config.follow_clock else config.real_time_factor, self._publish, config.follow_clock
        )
        if config.follow_clock:
            self._time = 0.0  # of the robot
            self.subscribe(Clock, "/clock", self._go_with, SENSOR)
        self.subscribe(conversions.command_type(self.description.command.stamped), "cmd_vel", self._drive, RELIABLE)
        self.every(0.5, self._check)
        self.offer(Trigger, "~/reset", lambda request, response: self.loop.call(lambda robot: robot.reset()))
        self.offer(PlaceRobot, "~/place_robot", self._place)
        self.offer(SetDoor, "~/set_door", self._set_door)
        self.offer(Photograph, "~/photograph", self._photograph)

    def deactivate(self) -> None:
        self.loop.command(0.0, 0.0)

    def reconfigure(self, before: ParametersT) -> None:
        if not self.config.follow_clock:
            self.loop.factor = self.config.real_time_factor

    def cleanup(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()
            del self.loop

    def _drive(self, message: Twist | TwistStamped) -> None:
        command = conversions.command_from_message(message, 3)
        if not np.isfinite(command).all():
            raise AmiError(f"command {command} is not finite")
        self.loop.command(*command)

    def _go_with(self, message: Clock) -> None:
        """The clock of others went on; what this robot was late, or they were set back, is left out."""
        now = conversions.stamp_to_seconds(message.clock)
        if abs(now - self._ahead - self._time) > self.loop.config.max_lag:
            self._ahead = now - self._time
        self.loop.go_to(now - self._ahead)

    def _check(self) -> None:
        if self.loop.failure is not None:
            raise self.loop.failure

    def _start(self) -> Robot:
        robot = self.make_robot()
        if self.config.start_pose:
            robot.reset(np.array(self.config.start_pose))
        return robot

    def _publish(self, robot: Robot, tick: int) -> None:
        """On the simulation's thread, after each step."""
        self._time = robot.time
        if not self.is_active:
            return
        stamp = conversions.seconds_to_stamp(robot.time + self._ahead)
        if self._clock_topic is not None:
            self._clock_topic.publish(Clock(clock=stamp))
        described, due = self.description, lambda sensor: sensor is not None and tick % self._ticks[sensor.name] == 0
        if due(described.camera) or due(described.laser):
            observation = robot.observe()
            self._publish_odometry(observation.odometry, observation.velocity, stamp)
            self._publish_sensors(observation, stamp, due)
            self._publish_truth(robot, stamp)
        elif due(described.odometry):
            self._publish_odometry(*robot.odometry(), stamp)
        if (sensor := described.depth) is not None and due(sensor) and (depth := robot.depth()) is not None:
            header = self._header(stamp, sensor)
            self._depth.publish(conversions.depth_to_message(depth, header, sensor.encoding))
            self._depth_info.publish(conversions.camera_info_message(sensor, header))
        if self._mounts is not None:
            frames = [*sensor_frames(self.description, stamp), *wheel_frames(self.description, stamp)]
            self._mounts.publish(TFMessage(transforms=frames))
            self._mounts = None  # latched
        if self._urdf is not None:
            self._urdf.publish(String(data=robot_urdf(self.description)))
            self._urdf = None

    def _header(self, stamp: Any, sensor: Sensor) -> Header:
        return conversions.header_at(stamp, sensor.frame or self.description.frames.base)

    def _publish_sensors(self, seen: Observation, stamp: Any, due: Callable[[Sensor | None], bool]) -> None:
        """What is due of an observation."""
        camera, laser = self.description.camera, self.description.laser
        if laser is not None and self._scan is not None and due(laser):
            scan = laser.scan(seen.scan.ranges)
            header = self._header(stamp, laser)
            self._scan.publish(range_sensors.scan_to_message(scan, header, laser.range_min, 1 / laser.rate))
        if camera is not None and seen.image is not None and due(camera):
            header = self._header(stamp, camera)
            self._image.publish(conversions.image_to_message(seen.image, header))
            if self.camera_info:
                self._camera_info.publish(conversions.camera_info_message(camera, header))

    def _publish_odometry(self, pose: np.ndarray, velocity: Command, stamp: Any) -> None:
        frames, noise = self.description.frames, self.noise
        deviations = noise.linear_velocity * noise.scale, noise.angular_velocity * noise.scale
        header = conversions.header_at(stamp, frames.odom)
        message = conversions.odometry_to_message(pose, velocity, header, frames.base, deviations)
        self._odom.publish(message)
        send_transform(self._tf, message.header, frames.base, message.pose.pose)

    def _publish_truth(self, robot: Robot, stamp: Any) -> None:
        truth = robot.ground_truth()
        pose = conversions.pose_to_message(truth.pose)
        self._truth.publish(PoseStamped(header=conversions.header_at(stamp, "world"), pose=pose))
        self._contacts.publish(UInt32(data=truth.contacts))

    def _place(self, request: PlaceRobot.Request, response: PlaceRobot.Response) -> None:
        self.loop.call(lambda robot: robot.place(conversions.pose_from_pose2d(request.pose)))

    def _set_door(self, request: SetDoor.Request, response: SetDoor.Response) -> None:
        self.loop.call(lambda robot: robot.set_door(request.name, request.open))

    def _photograph(self, request: Photograph.Request, response: Photograph.Response) -> None:
        image = self.loop.call(lambda robot: robot.photograph(conversions.pose_from_pose2d(request.pose)))
        response.image = conversions.compressed_message(encode_png(image), "png")
