"""patrol.py ROUNDS GOAL...: visits goals in order, again and again; each is a picture, or the name of a place.

Places are named by the service memory/remember. Ctrl-C ends the mission, and the robot stops.
"""

import sys

from ami_ros.core.errors import AmiError
from ami_ros.ros.goals.robot_client import RobotClient


def main():
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal() or int(sys.argv[1]) == 0:
        print(__doc__, file=sys.stderr)
        return 2
    rounds, goals = int(sys.argv[1]), sys.argv[2:]
    said = [""]

    def tell(feedback):
        if feedback.message != said[-1]:
            said.append(feedback.message)
            print(said[-1], flush=True)

    try:
        with RobotClient() as robot:
            outcome = robot.patrol(goals, rounds, tell=tell)
    except AmiError as error:  # no stack runs, or one of them is no goal
        print(f"patrol.py: {error}", file=sys.stderr)
        return error.exit_code
    reached = outcome.result.reached if outcome.result else 0
    print(f"{reached} of {len(goals) * rounds} goals reached; code {outcome.code}, {outcome.message}")
    return outcome.end


if __name__ == "__main__":
    sys.exit(main())
