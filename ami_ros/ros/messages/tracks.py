"""What moves, as a tracker tells the safety gate."""

from __future__ import annotations

import numpy as np

from ami_interfaces.msg import MovingThing, MovingThings
from ami_ros.safety.tracks import Track


def tracks_from_message(message: MovingThings) -> list[Track]:
    """All of a message, in its frame; the gate refuses what cannot be."""
    return [_track(thing) for thing in message.things]


def _track(thing: MovingThing) -> Track:
    covariance = np.array(thing.covariance, dtype=np.float64).reshape(4, 4)
    position, velocity = (np.sqrt(np.abs(part).sum(1).max()) for part in (covariance[:2, :2], covariance[2:, 2:]))
    return Track(
        np.array([thing.position.x, thing.position.y]),
        np.array([thing.velocity.x, thing.velocity.y]),
        float(thing.radius),
        float(position),  # no less than the standard deviation along its worst axis (Gershgorin)
        float(velocity),
    )
