"""What the streams between parts are in ROS: message types, qualities of service, and values from messages.

What depends on a node's own parameters (its camera, the type of commands, the model whose latents it takes) the node
says itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ami_interfaces.msg import Latent, PlaceGraph
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.parts.ports import Known, Motion
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.messages.memory import keep_away_from_message, location_from_message
from ami_ros.ros.messages.moving import things_from_message
from ami_ros.safety.output import SafetyOutput
from ami_ros.world_model.spec import ModelSpec

Read = Callable[[Any], Any]  # a message -> its value; None: it says nothing to this part


def _places(message: PlaceGraph) -> Known:
    poses = np.column_stack([message.x, message.y, message.yaw]).astype(np.float64)
    return Known(poses, np.array(message.ids, np.int64))


READS: Mapping[str, Read] = {
    "odom": lambda message: Motion(*conversions.odometry_from_message(message)),
    "scan": range_sensors.scan_from_message,  # in the scanner's own frame
    "battery_state": lambda message: message.percentage,
    "location": location_from_message,
    "moving_things": things_from_message,
    "place_graph": _places,
    "keep_away": keep_away_from_message,
    "attention": lambda message: message.data,
    "safety/status": lambda message: SafetyOutput(0.0, 0.0, message.message),  # what it sends is not in it
}


def latents_of(encoder_id: str, spec: ModelSpec) -> Read:
    """Reads latents of one model, and refuses those of others."""

    def read(message: Latent) -> LatentFrame:
        latent = conversions.latent_from_message(message, encoder_id, length=spec.latent_dim)
        picture = conversions.picture_from_message(message, spec.picture_code)
        return LatentFrame(conversions.stamp_of(message), latent, picture)

    return read


def surprise_of(encoder_id: Callable[[], str]) -> Read:
    """Reads surprise of one model; what another was surprised by says nothing."""
    return lambda message: conversions.reading_from_message(message) if message.encoder_id == encoder_id() else None


def commands_of(width: int) -> Read:
    """Reads commands of so many numbers."""
    return lambda message: conversions.command_from_message(message, width)
