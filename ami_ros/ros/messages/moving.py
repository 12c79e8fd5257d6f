"""Messages of what moves to its plain values and back."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import Header

from ami_interfaces.msg import MovingThing as ThingMessage
from ami_interfaces.msg import MovingThings as ThingsMessage
from ami_ros.errors import AmiError
from ami_ros.moving.things import MOST_THINGS, Kind, MovingThing, MovingThings, checked
from ami_ros.ros.messages.conversions import stamp_of


def things_to_message(things: MovingThings, header: Header) -> ThingsMessage:
    """`header`: stamp of the scan, frame odom."""
    return ThingsMessage(header=header, things=[_thing_to_message(thing) for thing in things.things])


def _thing_to_message(thing: MovingThing) -> ThingMessage:
    (x, y), (vx, vy) = thing.position.tolist(), thing.velocity.tolist()
    return ThingMessage(
        id=thing.id,
        kind=int(thing.kind),
        position=Point(x=x, y=y),
        velocity=Vector3(x=vx, y=vy),
        covariance=np.asarray(thing.covariance, np.float64).ravel(),
        radius=float(thing.radius),
        confidence=float(thing.confidence),
    )


def things_from_message(message: ThingsMessage) -> MovingThings:
    """Raises AmiError on what no tracker can mean: see `moving.things.checked`."""
    if len(message.things) > MOST_THINGS:  # before a thousand of them cost time
        raise AmiError(f"moving things: {len(message.things)} at once; at most {MOST_THINGS}, publish the nearest")
    return checked(MovingThings(stamp_of(message), tuple(map(_thing_from_message, message.things))))


def _thing_from_message(message: ThingMessage) -> MovingThing:
    if message.kind not in list(Kind):
        raise AmiError(f"moving things: {message.kind} is no kind of thing; see MovingThing.msg")
    return MovingThing(
        id=message.id,
        position=np.array([message.position.x, message.position.y]),
        velocity=np.array([message.velocity.x, message.velocity.y]),
        covariance=np.array(message.covariance, np.float64).reshape(4, 4),
        radius=message.radius,
        kind=Kind(message.kind),
        confidence=message.confidence,
    )
