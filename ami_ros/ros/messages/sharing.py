"""Letters between robots as messages."""

from __future__ import annotations

from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

from ami_interfaces.msg import SharedMemory
from ami_ros.errors import AmiError
from ami_ros.places.letters import Kind, Letter, packed, unpacked
from ami_ros.ros.messages.conversions import seconds_to_stamp, stamp_to_seconds

TOPIC = "/memory_sharing"  # the same for all robots, whatever their namespaces
# One that is away holds nobody up: the oldest letters go.
LETTERS = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=64, reliability=QoSReliabilityPolicy.RELIABLE)


def letter_to_message(letter: Letter) -> SharedMemory:
    """As it is published."""
    message = SharedMemory(site=letter.site, robot=letter.robot, to=letter.to, kind=int(letter.kind))
    message.stamp, message.content = seconds_to_stamp(letter.stamp), packed(letter.content)
    return message


def letter_from_message(message: SharedMemory) -> Letter:
    """What `letter_to_message` made. Raises AmiError where its content or kind is none."""
    try:
        kind, content = Kind(message.kind), unpacked(bytes(message.content))
    except (AmiError, ValueError) as error:
        raise AmiError(f"robot '{message.robot}': {error}") from error
    return Letter(message.site, message.robot, message.to, stamp_to_seconds(message.stamp), kind, content)
