"""The console: what the robot knows, as people look at it, and what they may tell it. Neither ROS nor web servers."""
