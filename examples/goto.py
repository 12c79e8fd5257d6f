"""goto.py PICTURE: drives to where the picture (JPEG or PNG) was taken, by the robot's own camera. Ctrl-C stops it."""

import sys
import time
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.signals import SignalHandlerOptions

from ami_interfaces.action import NavigateToGoal


def picture_goal(file):
    """The goal to go where the picture in `file` was taken, within two minutes."""
    goal = NavigateToGoal.Goal()
    goal.goal.type, goal.goal.image.data = goal.goal.TYPE_IMAGE, Path(file).read_bytes()
    goal.time_allowance.sec = 120
    return goal


def main():
    goal = picture_goal(sys.argv[1])
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is a KeyboardInterrupt, and rclpy goes on
    node = rclpy.create_node("goto")
    client = ActionClient(node, NavigateToGoal, "navigate_to_goal")
    client.wait_for_server()
    heard = [time.monotonic()]  # feedback comes several times a second; a planner that died sends none, and no result
    sent = client.send_goal_async(goal, lambda _: heard.append(time.monotonic()))
    rclpy.spin_until_future_complete(node, sent, timeout_sec=10.0)
    if not sent.done() or not sent.result().accepted:
        sys.exit("refused; the planner's log says why")
    ended = sent.result().get_result_async()
    try:
        while not ended.done():
            rclpy.spin_once(node, timeout_sec=1.0)
            if time.monotonic() - heard[-1] > 10.0:
                sys.exit("the planner fell silent: it died, or was started again; send the goal again")
    except KeyboardInterrupt:
        rclpy.spin_until_future_complete(node, sent.result().cancel_goal_async(), timeout_sec=5.0)
        sys.exit("cancelled; the robot stops")
    result = ended.result().result
    print(f"code {result.error_code}, {result.error_msg}; {result.final_distance:.2f} m from the goal")


if __name__ == "__main__":
    main()
