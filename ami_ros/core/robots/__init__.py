"""One description of a robot, config/robots/NAME.yaml, from which everything that depends on the robot is derived."""
