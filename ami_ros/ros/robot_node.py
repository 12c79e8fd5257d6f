"""What the nodes of simulated robots share: the topics of a real robot, and services that only simulation can offer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu, LaserScan
from std_msgs.msg import UInt32
from std_srvs.srv import Trigger

from ami_interfaces.srv import Photograph, PlaceRobot, SetDoor
from ami_ros.commands import Command
from ami_ros.errors import AmiError
from ami_ros.images import encode_png
from ami_ros.ros import conversions
from ami_ros.ros.lifecycle import AmiNode
from ami_ros.ros.parameters import parameter
from ami_ros.ros.qos import RELIABLE, SENSOR
from ami_ros.ros.simulation_loop import SimulationLoop
from ami_ros.ros.tf import send_transform, tf_publisher
from ami_ros.simulation.robot import CONTROL_PERIOD, DriveName, Observation, Robot

BASE_FRAME, ODOM_FRAME, OPTICAL_FRAME, WORLD_FRAME = "base_link", "odom", "camera_optical_frame", "world"


@dataclass(frozen=True)
class RobotParameters:
    """Parameters that every simulated robot has."""

    world: str = parameter("home", "Name of a world that comes with the package, or a world file.")
    drive: DriveName = parameter("differential", "omnidirectional: it takes linear.y as well, and drives sideways.")
    seed: int = parameter(0, "Of start poses and noise.", limits=(0, 2**31 - 1))
    start_pose: tuple[float, ...] = parameter(
        (), "x, y, yaw in the world's frame; empty: random in the start area.", "m, m, rad"
    )
    noise_scale: float = parameter(1.0, "Multiplies all sensor noise; 0: perfect sensors.", limits=(0.0, 10.0))
    real_time_factor: float = parameter(
        1.0, "Simulated seconds in a second; 0: as fast as possible.", limits=(0.0, 100.0)
    )
    sensor_rate: float = parameter(10.0, "Of image, scan and compass.", "Hz", (0.5, 50.0))
    odom_rate: float = parameter(25.0, "Of odometry.", "Hz", (0.5, 50.0))
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")

    def __post_init__(self) -> None:
        if len(self.start_pose) not in (0, 3) or not np.isfinite(self.start_pose).all():
            raise ValueError(f"start_pose must be empty or x, y, yaw, found {list(self.start_pose)}")


ParametersT = TypeVar("ParametersT", bound=RobotParameters)


class RobotNode(AmiNode[ParametersT]):
    """Publishes what the robot senses and drives as told. Derived classes make the robot."""

    @abstractmethod
    def make_robot(self) -> Robot:
        """The robot, at its start; called on the thread that will step it."""

    def camera_info(self) -> CameraInfo | None:
        """What goes with each image; None without a camera."""
        return None

    def configure(self) -> None:
        config = self.config
        self._clock_topic = self.publisher(Clock, "/clock", SENSOR)
        self._image = self.publisher(Image, "image")
        self._camera_info = self.publisher(CameraInfo, "camera_info")
        self._scan = self.publisher(LaserScan, "scan")
        self._odom = self.publisher(Odometry, "odom")
        self._imu = self.publisher(Imu, "imu")
        self._truth = self.publisher(PoseStamped, "ground_truth")
        self._contacts = self.publisher(UInt32, "~/contacts")
        self._tf = tf_publisher(self)
        self._sensor_ticks = max(1, round(1.0 / config.sensor_rate / CONTROL_PERIOD))
        self._odom_ticks = max(1, round(1.0 / config.odom_rate / CONTROL_PERIOD))
        self.loop: SimulationLoop[Any] = SimulationLoop(self.make_robot, config.real_time_factor, self._publish)
        self.subscribe(TwistStamped if config.enable_stamped_cmd_vel else Twist, "cmd_vel", self._drive, RELIABLE)
        self.every(0.5, self._check)
        self.offer(Trigger, "~/reset", lambda request, response: self.loop.call(lambda robot: robot.reset()))
        self.offer(PlaceRobot, "~/place_robot", self._place)
        self.offer(SetDoor, "~/set_door", self._set_door)
        self.offer(Photograph, "~/photograph", self._photograph)

    def deactivate(self) -> None:
        self.loop.command(0.0, 0.0)

    def cleanup(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()
            del self.loop

    def _drive(self, message: Twist | TwistStamped) -> None:
        command = conversions.command_from_message(message, 3)
        if not np.isfinite(command).all():
            raise AmiError(f"command {command} is not finite")
        self.loop.command(*command)

    def _check(self) -> None:
        if self.loop.failure is not None:
            raise self.loop.failure

    def _publish(self, robot: Robot, tick: int) -> None:
        """On the simulation's thread, after each step."""
        if not self.is_active:
            return
        stamp = conversions.seconds_to_stamp(robot.time)
        self._clock_topic.publish(Clock(clock=stamp))
        if tick % self._sensor_ticks == 0:
            observation = robot.observe()
            self._publish_odometry(observation.odometry, observation.velocity, stamp)
            self._publish_sensors(observation, stamp)
            self._publish_truth(robot, stamp)
        elif tick % self._odom_ticks == 0:
            self._publish_odometry(*robot.odometry(), stamp)

    def _publish_sensors(self, observation: Observation, stamp: Any) -> None:
        optical = conversions.header_at(stamp, OPTICAL_FRAME)
        base = conversions.header_at(stamp, BASE_FRAME)
        self._scan.publish(conversions.scan_to_message(observation.scan, base))
        if observation.heading is not None:
            self._imu.publish(Imu(header=base, orientation=conversions.yaw_to_message(observation.heading)))
        if observation.image is not None:
            self._image.publish(conversions.image_to_message(observation.image, optical))
        info = self.camera_info()
        if info is not None:
            info.header = optical
            self._camera_info.publish(info)

    def _publish_odometry(self, pose: np.ndarray, velocity: Command, stamp: Any) -> None:
        message = conversions.odometry_to_message(pose, velocity, conversions.header_at(stamp, ODOM_FRAME), BASE_FRAME)
        self._odom.publish(message)
        send_transform(self._tf, message.header, BASE_FRAME, message.pose.pose)

    def _publish_truth(self, robot: Robot, stamp: Any) -> None:
        truth = robot.ground_truth()
        pose = conversions.pose_to_message(truth.pose)
        self._truth.publish(PoseStamped(header=conversions.header_at(stamp, WORLD_FRAME), pose=pose))
        self._contacts.publish(UInt32(data=truth.contacts))

    def _place(self, request: PlaceRobot.Request, response: PlaceRobot.Response) -> None:
        pose = np.array([request.pose.x, request.pose.y, request.pose.theta])
        self.loop.call(lambda robot: robot.place(pose))

    def _set_door(self, request: SetDoor.Request, response: SetDoor.Response) -> None:
        self.loop.call(lambda robot: robot.set_door(request.name, request.open))

    def _photograph(self, request: Photograph.Request, response: Photograph.Response) -> None:
        pose = np.array([request.pose.x, request.pose.y, request.pose.theta])
        image = self.loop.call(lambda robot: robot.photograph(pose))
        response.image = conversions.compressed_message(encode_png(image), "png")
