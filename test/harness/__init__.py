"""What the tests share: waiting for conditions, real ROS peers, child processes that never outlive a test."""

from harness.processes import ChildProcess, Children
from harness.ros import RosPeer
from harness.waiting import wait_until

__all__ = ["ChildProcess", "Children", "RosPeer", "wait_until"]
