"""take_picture.py FILE: keeps what the robot's camera sees now (PNG): a goal for goto.py and patrol.py.

A camera whose topic has another name: take_picture.py FILE --ros-args -r image:=camera/image_raw
"""

import sys

import cv2
import rclpy
from rclpy.qos import qos_profile_sensor_data
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image

from ami_ros.images import image_of


def main():
    arguments = remove_ros_args(sys.argv)[1:]
    if len(arguments) != 1 or not cv2.haveImageWriter(arguments[0]):
        sys.exit(__doc__)
    (file,) = arguments
    rclpy.init()
    node = rclpy.create_node("take_picture")
    pictures = []
    node.create_subscription(Image, "image", pictures.append, qos_profile_sensor_data)
    while not pictures:
        rclpy.spin_once(node)
    if not cv2.imwrite(file, cv2.cvtColor(image_of(pictures[0]), cv2.COLOR_RGB2BGR)):
        sys.exit(f"{file} cannot be written")
    print(f"{file}: {pictures[0].width} x {pictures[0].height} pixels")


if __name__ == "__main__":
    main()
