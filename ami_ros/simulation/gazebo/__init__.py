"""Worlds and robots for Gazebo: SDFormat, URDF, and the table of topics between it and ROS."""
