"""Listens to a running graph for a while: who publishes what, and how it arrives."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from ami_interfaces.msg import SharedMemory
from ami_ros.errors import AmiError
from ami_ros.places.site_status import SiteStatus
from ami_ros.robots.observation import HEARD, TRANSFORMS, Observation, Topic
from ami_ros.ros.messages.sharing import LETTERS, TOPIC, letter_from_message
from ami_ros.ros.node.qos import SENSOR
from ami_ros.ros.sensors.scanner import TF_STATIC

LOOK = 0.5  # [s] between two looks for topics that are new


def listen(node: Node, seconds: float, tick: Callable[[float], None] = lambda _: None) -> Observation:
    """What is heard in `seconds` of steady time; sensors of all kinds that `HEARD` names are listened to.

    Ages are judged on the clock of the system, or where somebody publishes /clock on that.

    Args:
        node: to listen with; nobody else may spin it.
        tick: called now and then with the share of the time that is over.
    """
    seen = Observation()
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    heard: dict[str, Any] = {}
    began = looked = time.monotonic()
    _look(node, seen, heard)
    try:
        while (now := time.monotonic()) - began < seconds:
            if now - looked > LOOK:
                looked = now
                _look(node, seen, heard)
            executor.spin_once(timeout_sec=0.1)
            tick(min(1.0, (now - began) / seconds))
        _look(node, seen, heard)
    finally:
        executor.shutdown()
    return seen


def listen_to_site(node: Node, seconds: float) -> SiteStatus:
    """What robots that share their memories say of themselves in `seconds` of steady time.

    Args:
        node: to listen with; nobody else may spin it.
    """
    status = SiteStatus()

    def take(message: SharedMemory) -> None:
        with suppress(AmiError):  # the robots tell of those that make no sense
            status.take(letter_from_message(message), time.time())

    node.create_subscription(SharedMemory, TOPIC, take, LETTERS)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
    finally:
        executor.shutdown()
    return status


def _look(node: Node, seen: Observation, heard: dict[str, Any]) -> None:
    """Notes who publishes and listens, and subscribes to what is new."""
    for name, types in node.get_topic_names_and_types():
        topic = seen.topics.setdefault(name, Topic(types[0]))
        topic.publishers = _nodes(node.get_publishers_info_by_topic(name), node)
        topic.subscribers = _nodes(node.get_subscriptions_info_by_topic(name), node)
        if name == "/clock" and topic.publishers and not seen.simulated_time:
            seen.simulated_time = True
            node.set_parameters([Parameter("use_sim_time", value=True)])
        if name in heard or topic.type not in HEARD or (topic.type == TRANSFORMS and not name.endswith("tf_static")):
            continue
        package, _, message = topic.type.split("/")
        try:
            kind = getattr(importlib.import_module(f"{package}.msg"), message)
        except ImportError:
            continue  # a type that is not installed here
        static = topic.type == TRANSFORMS
        take = partial(_take_transforms, seen) if static else partial(_take, node, topic)
        heard[name] = node.create_subscription(kind, name, take, TF_STATIC if static else SENSOR)


def _nodes(endpoints: Any, node: Node) -> tuple[str, ...]:
    """Full names of other nodes."""
    names = {f"{e.node_namespace.rstrip('/')}/{e.node_name}" for e in endpoints if e.node_name != node.get_name()}
    return tuple(sorted(names))


def _take(node: Node, topic: Topic, message: Any) -> None:
    topic.take(message, node.get_clock().now().nanoseconds * 1e-9)


def _take_transforms(seen: Observation, message: Any) -> None:
    seen.take_transforms(message)
