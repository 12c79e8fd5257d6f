"""A ROS peer for a test: own context, own executor, spun by the test itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from harness.waiting import wait_until

T = TypeVar("T")
NodeT = TypeVar("NodeT", bound=Any)


class CountingExecutor(SingleThreadedExecutor):
    """Tells whether anything was due.

    Attributes:
        handled: callbacks that were found ready so far.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.handled = 0

    def wait_for_ready_callbacks(self, *args: Any, **options: Any) -> Any:
        """As the base class does, and counts."""
        ready = super().wait_for_ready_callbacks(*args, **options)
        self.handled += 1
        return ready


class RosPeer:
    """The other side of the node under test. Nothing runs but while one of the `spin` methods does.

    Attributes:
        bugs_expected: else the end of the test fails if a node of ours reported an exception that it did not foresee.
        context: this test's own; give it to every node that the test makes itself.
        executor: spins the nodes given to `add`.
        node: a node to subscribe, publish and call from.
    """

    def __init__(self) -> None:
        self.bugs_expected = False
        self.context = Context()
        rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.executor = CountingExecutor(context=self.context)
        self._nodes: list[Node] = []
        self.node = self.make_node("test_peer")

    def make_node(self, name: str, **options: Any) -> Node:
        """A further node, spun with the others and destroyed at the end."""
        return self.add(Node(name, context=self.context, **options))

    def add(self, node: Node) -> Node:
        """Spins `node` (made with `context=peer.context`) too, and destroys it at the end."""
        self.executor.add_node(node)
        self._nodes.append(node)
        return node

    def make(self, kind: Callable[..., NodeT], arguments: list[str] | None = None, **parameters: Any) -> NodeT:
        """A node of ours in this context, spun and destroyed as by `add`.

        Args:
            kind: its class.
            arguments: its command line.
            parameters: plain values by name; double underscores are dots.
        """
        values = [Parameter(name.replace("__", "."), value=value) for name, value in parameters.items()]
        node = kind(context=self.context, cli_args=arguments, parameter_overrides=values)
        self.add(node)
        return node

    def start(self, kind: Callable[..., NodeT], arguments: list[str] | None = None, **parameters: Any) -> NodeT:
        """The same, configured and active."""
        node = self.make(kind, arguments, **parameters)
        node.start()
        return node

    def collect(self, message_type: type[T], topic: str, qos: QoSProfile | int = 10) -> list[T]:
        """Subscribes; the list grows while the peer spins."""
        received: list[T] = []
        self.node.create_subscription(message_type, topic, received.append, qos)
        return received

    def spin_once(self, timeout: float = 0.02) -> None:
        """Handles what is due, waiting for at most `timeout` [s]."""
        self.executor.spin_once(timeout_sec=timeout)

    def spin_until_idle(self, quiet: float = 0.005) -> None:
        """Handles all that is due, until nothing was for `quiet` [s]."""
        handled = -1
        while self.executor.handled != handled:
            handled = self.executor.handled
            self.executor.spin_once(timeout_sec=quiet)

    def spin_until(self, condition: Callable[[], T], deadline: float = 20.0, what: str | Callable[[], str] = "") -> T:
        """Spins until `condition()` is true, and returns its value (see `wait_until`)."""
        return wait_until(condition, deadline, what, between=self.spin_once)

    def call(self, service_type: type, name: str, request: Any, deadline: float = 20.0) -> Any:
        """Calls a service, and returns its response."""
        client = self.node.create_client(service_type, name)
        self.spin_until(client.service_is_ready, deadline, f"service {name}")
        future = client.call_async(request)
        self.spin_until(future.done, deadline, f"answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def close(self) -> None:
        """Destroys the nodes and shuts the context down."""
        self.executor.shutdown()
        for node in reversed(self._nodes):
            node.destroy_node()
        self.context.try_shutdown()
        for error in (error for node in self._nodes for error in getattr(node, "bugs", ())):
            if not self.bugs_expected:
                raise error
