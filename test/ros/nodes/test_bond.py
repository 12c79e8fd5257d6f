"""A lifecycle manager such as Nav2's: it starts nodes itself, and has a bond with each while that is active."""

from __future__ import annotations

from harness.processes import Children

MANAGER = """
import time, rclpy
from bond.msg import Status
from lifecycle_msgs.srv import ChangeState

rclpy.init()
node = rclpy.create_node("lifecycle_manager")
change = node.create_client(ChangeState, "safety/change_state")
change.wait_for_service()
sister, publisher, instance = {}, node.create_publisher(Status, "bond", 5), "manager 1"

def hear(message):
    if message.id == "safety" and not message.instance_id.startswith("manager"):
        sister[message.instance_id] = message

node.create_subscription(Status, "bond", hear, 100)

def say(active):
    publisher.publish(Status(id="safety", instance_id=instance, active=active, heartbeat_timeout=4.0))

def ask(transition):
    request = ChangeState.Request()
    request.transition.id = transition
    future = change.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=60.0)
    assert future.result().success

def wait(active, known=()):
    end = time.monotonic() + 30.0
    while not any(m.active == active for i, m in sister.items() if i not in known):
        assert time.monotonic() < end, f"{active}: {sister}"
        say(True)
        rclpy.spin_once(node, timeout_sec=0.1)
    return set(sister)

ask(1)
assert not sister, "a node that is not active has no bond"
ask(3)
first = wait(True)
message = next(iter(sister.values()))
assert abs(message.heartbeat_period - 0.1) < 1e-6 and message.heartbeat_timeout == 4.0
ask(4)
wait(False)
sister.clear()
ask(3)
second = wait(True, first)
say(False)
end = time.monotonic() + 30.0
while any(m.active for i, m in sister.items() if i in second):
    assert time.monotonic() < end, "the end of a bond is acknowledged"
    rclpy.spin_once(node, timeout_sec=0.1)
instance = "manager 2"
wait(True, first | second)
end = time.monotonic() + 1.0
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
assert len(sister) == 2, f"a node takes its own end of a bond for another manager's: {sister}"
print("bound", flush=True)
"""


def test_a_manager_forms_a_bond_breaks_it_and_forms_another(children: Children) -> None:
    gate = children.python("-m", "ami_ros.ros.nodes.safety", "--ros-args", "-p", "autostart:=false")
    manager = children.python("-c", MANAGER)
    assert manager.wait(120.0) == 0 and "bound" in manager.output(), manager.output() + gate.output()
