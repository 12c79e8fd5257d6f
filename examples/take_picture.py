"""take_picture.py FILE: keeps what the robot's camera sees now (PNG): a goal for goto.py and patrol.py.

take_picture.py FOLDER/ keeps a picture each 60 degrees while somebody turns the robot once around to the left, on the
spot: a goal that a narrow camera knows from any side. Ctrl-C ends it earlier.

A camera whose topic has another name: take_picture.py FILE --ros-args -r image:=camera/image_raw
"""

import math
import sys
import time
from collections import deque
from pathlib import Path

import cv2
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.qos import qos_profile_sensor_data
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image

from ami_ros.core.images import image_of
from ami_ros.ros.messages.conversions import pose_from_message, stamp_to_seconds

PATIENCE = 10.0  # [s] until the first picture
EACH, NEAR = 60, 5.0  # [degrees] between two pictures, and how far off that one may be taken
TOGETHER = 0.1  # [s] between a picture and the odometry that belongs to it


class Around:
    """Pictures by how far the robot has turned, in degrees."""

    def __init__(self, node):
        self.pictures = {}
        self._turned, self._before = 0.0, None  # [rad] in all, and the newest heading
        self._odometry = deque(maxlen=100)  # stamps [s] and turns [rad]
        node.create_subscription(Odometry, "odom", self._turn, qos_profile_sensor_data)
        node.create_subscription(Image, "image", self._see, qos_profile_sensor_data)

    @property
    def is_complete(self):
        return len(self.pictures) == 360 // EACH

    def _turn(self, message):
        heading = pose_from_message(message.pose.pose)[2]
        if self._before is not None:
            self._turned += math.remainder(heading - self._before, math.tau)
        self._before = heading
        self._odometry.append((stamp_to_seconds(message.header.stamp), self._turned))

    def _see(self, message):
        stamp = stamp_to_seconds(message.header.stamp)
        apart, turned = min(((abs(at - stamp), turn) for at, turn in self._odometry), default=(math.inf, 0.0))
        turn = EACH * round(math.degrees(turned) / EACH)
        if apart < TOGETHER and abs(math.degrees(turned) - turn) < NEAR and 0 <= turn < 360:
            self.pictures.setdefault(turn, message)


def write(file, message):
    if not cv2.imwrite(str(file), cv2.cvtColor(image_of(message), cv2.COLOR_RGB2BGR)):
        print(f"take_picture.py: {file} cannot be written", file=sys.stderr)
        return 2
    print(f"{file}: {message.width} x {message.height} pixels", flush=True)
    return 0


def take_all_round(node, folder):
    folder.mkdir(parents=True, exist_ok=True)
    around, written, began = Around(node), set(), time.monotonic()
    try:
        while not around.is_complete:
            rclpy.spin_once(node, timeout_sec=0.2)
            for turn in around.pictures.keys() - written:
                written.add(turn)
                if write(folder / f"{turn}.png", around.pictures[turn]):
                    return 2
            if not written and time.monotonic() - began > PATIENCE:
                return no_picture(node, "or there is no odometry")
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0 if written else 130
    return 0


def take_one(node, file):
    pictures, began = [], time.monotonic()
    node.create_subscription(Image, "image", pictures.append, qos_profile_sensor_data)
    try:
        while not pictures and time.monotonic() - began < PATIENCE:
            rclpy.spin_once(node, timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    return write(file, pictures[0]) if pictures else no_picture(node, "or its topic has another name")


def no_picture(node, perhaps):
    topic = node.resolve_topic_name("image")
    print(f"take_picture.py: {topic} has no picture: is the camera on, {perhaps}?", file=sys.stderr)
    return 2


def main():
    arguments = remove_ros_args(sys.argv)[1:]
    all_round = len(arguments) == 1 and arguments[0].endswith("/")
    if len(arguments) != 1 or not (all_round or cv2.haveImageWriter(arguments[0])):
        print(__doc__, file=sys.stderr)
        return 2
    rclpy.init()
    node = rclpy.create_node("take_picture")
    return take_all_round(node, Path(arguments[0])) if all_round else take_one(node, Path(arguments[0]))


if __name__ == "__main__":
    sys.exit(main())
