"""The stack: perception, world model, memory, planner and safety, for a robot that is there already."""

from ami_ros.ros.start.launching import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return launch_description("stack")
