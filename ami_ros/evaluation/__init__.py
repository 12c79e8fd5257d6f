"""What a drive is judged by: goals, the rule of success, intervals, figures. Knows no ROS."""
