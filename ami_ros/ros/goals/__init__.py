"""Goals over ROS: actions, topics, and the clients of mission and planner."""
