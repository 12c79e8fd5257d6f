"""ami_ros: a world model, memory and planner for robots, native to ROS 2."""

__version__ = "0.1.0"
