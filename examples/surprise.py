"""surprise.py: says when what the robot sees is not what its world model had predicted, until Ctrl-C."""

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from ami_interfaces.msg import Surprise


class Listener(Node):
    """Prints a line when an alarm begins and when it ends."""

    def __init__(self):
        super().__init__("surprise_listener")
        self.alarmed = False
        self.create_subscription(Surprise, "surprise", self.on_surprise, 10)
        print("listening", flush=True)

    def on_surprise(self, surprise):
        if surprise.alarm != self.alarmed:
            self.alarmed = surprise.alarm
            about = f"z score {surprise.z_score:.1f}, threshold {surprise.threshold:.1f}"
            print(f"{'surprised' if self.alarmed else 'as predicted again'}: {about}", flush=True)


def main():
    rclpy.init()
    try:
        rclpy.spin(Listener())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == "__main__":
    main()
