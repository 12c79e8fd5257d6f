"""A ROS domain for the demo: one in which no stack like ours answers already."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ami_ros.core.errors import AmiError
from ami_ros.ros.start.domain import claim_domain, domain_in_environment
from ami_ros.ros.start.graph import enclave_arguments

DISCOVERY = 1.0  # that other nodes get to show themselves [s]
PROBE = "demo_domain_probe"


def join_domain(wanted: int | None, names: Iterable[str]) -> Context:
    """An initialised context in a domain that is ours; ROS_DOMAIN_ID is set for children.

    Args:
        wanted: the domain to use, in which no node may be called as one of `names`; None: that of ROS_DOMAIN_ID, or
            else the first one without any node.
        names: of the nodes that are going to be started.

    Raises:
        AmiError: the wanted domain is in use, or no domain is free.
    """
    wanted = domain_in_environment() if wanted is None else wanted
    while True:
        domain = claim_domain(wanted)  # each time another one; raises when none is left
        context = Context()
        rclpy.init(
            args=enclave_arguments("console"), context=context, domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )  # fmt: skip
        rival = _rival(context, None if wanted is None else set(names))
        if rival is None:
            os.environ["ROS_DOMAIN_ID"] = str(domain)
            return context
        context.shutdown()
        if wanted is not None:
            raise AmiError(rivalry(domain, rival))


def rivalry(domain: int, name: str) -> str:
    """What to tell where a node is called as one of ours."""
    return f"ROS domain {domain}: a node '{name}' runs there already; stop it or use another"


def _rival(context: Context, names: set[str] | None) -> str | None:
    """A node that is there already and is called as one of `names`, or (None) in any way."""
    node = Node(PROBE, context=context, enable_rosout=False, start_parameter_services=False)
    try:
        deadline = time.monotonic() + DISCOVERY
        while time.monotonic() < deadline:
            found = {name for name in node.get_node_names() if name != PROBE and not name.startswith("_")}
            if names is not None:
                found &= names
            if found:
                return min(found)
            time.sleep(0.05)
        return None
    finally:
        node.destroy_node()
