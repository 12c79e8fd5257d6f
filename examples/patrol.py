"""patrol.py ROUNDS GOAL...: visits goals in order, again and again; each is a picture, or the name of a place.

Places are named by the service memory/remember. Ctrl-C ends the mission, and the robot stops.
"""

import sys

from ami_ros.ros.goals.robot_client import RobotClient


def main():
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal():
        sys.exit(__doc__)
    rounds, goals = int(sys.argv[1]), sys.argv[2:]
    said = [""]

    def tell(feedback):
        if feedback.message != said[-1]:
            said.append(feedback.message)
            print(said[-1], flush=True)

    with RobotClient() as robot:
        outcome = robot.patrol(goals, rounds, tell=tell)
    reached = outcome.result.reached if outcome.result else 0
    print(f"{reached} of {len(goals) * rounds} goals reached; code {outcome.code}, {outcome.message}")
    sys.exit(outcome.end)


if __name__ == "__main__":
    main()
