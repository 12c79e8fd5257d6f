"""ROS messages to plain values and back: the one place that knows both."""
