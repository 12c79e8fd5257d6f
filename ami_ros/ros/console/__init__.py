"""The console on the ROS bus: what it hears, and what it sends."""
