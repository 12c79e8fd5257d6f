"""patrol.py ROUNDS GOAL...: visits goals in order, again and again; each is a picture, or the name of a place.

Places are named by the service memory/remember. Ctrl-C ends the mission, and the robot stops.
"""

import sys
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ami_interfaces.action import RunMission
from ami_interfaces.msg import NavigationGoal


def navigation_goal(text):
    """The goal that `text` names: a file is a picture, anything else the label of a remembered place."""
    if Path(text).is_file():
        goal = NavigationGoal(type=NavigationGoal.TYPE_IMAGE)
        goal.image.data = Path(text).read_bytes()
        return goal
    return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label=text)


def main():
    rounds, *goals = remove_ros_args(sys.argv)[1:]
    mission = RunMission.Goal(kind=RunMission.Goal.VISIT_IN_ORDER)
    mission.goals = [navigation_goal(text) for text in goals] * int(rounds)
    mission.waits = [1.0] * len(mission.goals)  # [s]
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is a KeyboardInterrupt, and rclpy goes on
    node = rclpy.create_node("patrol")
    client = ActionClient(node, RunMission, "run_mission")
    client.wait_for_server()
    said = [""]

    def tell(message):
        if message.feedback.message != said[-1]:
            said.append(message.feedback.message)
            print(said[-1], flush=True)

    sent = client.send_goal_async(mission, tell)
    rclpy.spin_until_future_complete(node, sent)
    if not sent.result().accepted:
        sys.exit("refused; the log of the node mission says why")
    ended = sent.result().get_result_async()
    try:
        rclpy.spin_until_future_complete(node, ended)
    except KeyboardInterrupt:
        rclpy.spin_until_future_complete(node, sent.result().cancel_goal_async(), timeout_sec=5.0)
        sys.exit("cancelled; the robot stops")
    result = ended.result().result
    print(f"{result.reached} of {len(mission.goals)} goals reached; code {result.error_code}, {result.error_msg}")


if __name__ == "__main__":
    main()
