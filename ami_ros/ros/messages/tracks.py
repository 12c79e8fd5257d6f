"""What moves, as a tracker tells the safety gate."""

from __future__ import annotations

import numpy as np

from ami_interfaces.msg import MovingThing, MovingThings
from ami_ros.safety.tracks import Track, largest_sigma


def tracks_from_message(message: MovingThings) -> list[Track]:
    """All of a message, in its frame; the gate refuses what cannot be."""
    return [_track(thing) for thing in message.things]


def _track(thing: MovingThing) -> Track:
    covariance = np.array(thing.covariance, dtype=np.float64).reshape(4, 4)
    return Track(
        np.array([thing.position.x, thing.position.y]),
        np.array([thing.velocity.x, thing.velocity.y]),
        float(thing.radius),
        largest_sigma(covariance[:2, :2]),
        largest_sigma(covariance[2:, 2:]),
    )
