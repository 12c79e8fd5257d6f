"""Sensors as they come over ROS, in the frame of the robot."""
