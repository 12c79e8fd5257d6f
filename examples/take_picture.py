"""take_picture.py FILE: keeps what the robot's camera sees now (PNG): a goal for goto.py and patrol.py.

A camera whose topic has another name: take_picture.py FILE --ros-args -r image:=camera/image_raw
"""

import sys
import time

import cv2
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import qos_profile_sensor_data
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image

from ami_ros.images import image_of

PATIENCE = 10.0  # [s]


def main():
    arguments = remove_ros_args(sys.argv)[1:]
    if len(arguments) != 1 or not cv2.haveImageWriter(arguments[0]):
        print(__doc__, file=sys.stderr)
        return 2
    (file,) = arguments
    rclpy.init()
    node = rclpy.create_node("take_picture")
    pictures = []
    node.create_subscription(Image, "image", pictures.append, qos_profile_sensor_data)
    began = time.monotonic()
    try:
        while not pictures and time.monotonic() - began < PATIENCE:
            rclpy.spin_once(node, timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    if not pictures:
        topic = node.resolve_topic_name("image")
        print(
            f"take_picture.py: {topic} has no picture: is the camera on? Its topic may have another name",
            file=sys.stderr,
        )
        return 2
    if not cv2.imwrite(file, cv2.cvtColor(image_of(pictures[0]), cv2.COLOR_RGB2BGR)):
        print(f"take_picture.py: {file} cannot be written", file=sys.stderr)
        return 2
    print(f"{file}: {pictures[0].width} x {pictures[0].height} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
