"""Learning on: what has changed about the robot since its model was trained is learned while it drives. No ROS."""
