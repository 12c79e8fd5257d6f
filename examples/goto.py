"""goto.py PICTURE: drives to where the picture (JPEG or PNG) was taken, by the robot's own camera. Ctrl-C stops it.

A name of a place, or x,y,yaw in the map, will do as well. `./ami goto` is the same with more to say.
"""

import sys

from ami_ros.core.errors import AmiError
from ami_ros.ros.goals.robot_client import RobotClient


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with RobotClient() as robot:
            outcome = robot.go(sys.argv[1], timeout=300.0)
    except AmiError as error:  # no stack runs, or that is no goal
        print(f"goto.py: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{outcome.end.name.lower()}: code {outcome.code}, {outcome.message}")
    return outcome.end


if __name__ == "__main__":
    sys.exit(main())
