"""The safety gate alone, behind the planner of somebody else, as Nav2's."""

from ami_ros.ros.start.launching import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return launch_description("gate", cmd_vel_in_topic="cmd_vel_smoothed")
