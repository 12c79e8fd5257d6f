"""goto.py PICTURE: drives to where the picture (JPEG or PNG) was taken, by the robot's own camera. Ctrl-C stops it.

A name of a place, or x,y,yaw in the map, will do as well. `./ami goto` is the same with more to say.
"""

import sys

from ami_ros.ros.goals.robot_client import RobotClient


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with RobotClient() as robot:
        outcome = robot.go(sys.argv[1], timeout=300.0)
    print(f"{outcome.end.name.lower()}: code {outcome.code}, {outcome.message}")
    sys.exit(outcome.end)


if __name__ == "__main__":
    main()
