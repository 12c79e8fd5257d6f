"""What moves, as a tracker tells the safety gate."""

from __future__ import annotations

import numpy as np

from ami_interfaces.msg import MovingThing, MovingThings
from ami_ros.parts.safety import track_of
from ami_ros.safety.tracks import Track


def tracks_from_message(message: MovingThings) -> list[Track]:
    """All of a message, in its frame; the gate refuses what cannot be."""
    return [_track(thing) for thing in message.things]


def _track(thing: MovingThing) -> Track:
    position = np.array([thing.position.x, thing.position.y])
    velocity = np.array([thing.velocity.x, thing.velocity.y])
    return track_of(position, velocity, thing.radius, np.array(thing.covariance, dtype=np.float64).reshape(4, 4))
