"""Where odom and base_link are, by the topics that say so: not everybody who runs ami_ros has the messages of /tf."""

from __future__ import annotations

from collections.abc import Callable

from nav_msgs.msg import Odometry
from rclpy.node import Node

from ami_interfaces.msg import Location
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, inverse
from ami_ros.places.types import map_to_odom
from ami_ros.ros.messages.conversions import pose_from_message, stamp_of
from ami_ros.ros.messages.memory import location_from_message
from ami_ros.ros.node.qos import SENSOR

Tell = Callable[[float, str, str, Array], None]  # stamp [s], parent frame, child frame, pose (3,) of the child in it


class Frames:
    """Tells of each change.

    Args:
        node: makes the subscriptions; it must be spun.
        names: of map, odom and base.
        tell: is called by the node.
    """

    def __init__(self, node: Node, names: tuple[str, str, str], tell: Tell) -> None:
        self._node, self._names, self._tell = node, names, tell
        self._heard = [
            node.create_subscription(Odometry, "odom", self._odometry, SENSOR),
            node.create_subscription(Location, "location", self._location, SENSOR),
        ]

    def close(self) -> None:
        """Hears no more."""
        for subscription in self._heard:
            self._node.destroy_subscription(subscription)

    def _odometry(self, message: Odometry) -> None:
        self._say(message, 1, lambda: pose_from_message(message.pose.pose))

    def _location(self, message: Location) -> None:
        if message.localised:
            self._say(message, 0, lambda: inverse(map_to_odom(location_from_message(message))))

    def _say(self, message: Odometry | Location, parent: int, pose: Callable[[], Array]) -> None:
        try:
            self._tell(stamp_of(message), self._names[parent], self._names[parent + 1], pose())
        except AmiError as error:
            self._node.get_logger().warning(f"a pose cannot be shown: {error}", throttle_duration_sec=5.0)
