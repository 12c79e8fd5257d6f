"""Messages of what moves."""

from __future__ import annotations

import numpy as np
import pytest

from ami_interfaces.msg import MovingThing as ThingMessage
from ami_interfaces.msg import MovingThings as ThingsMessage
from ami_ros.core.errors import AmiError
from ami_ros.ros.messages import conversions as moving
from ami_ros.ros.messages.conversions import header_at
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings


def test_things_survive_the_way_through_a_message() -> None:
    covariance = np.diag([0.01, 0.02, 0.03, 0.04])
    covariance[0, 2] = covariance[2, 0] = 0.005
    thing = MovingThing(7, np.array([1.0, -2.0]), np.array([0.5, 0.25]), covariance, 0.25, Kind.PERSON, 0.75)
    message = moving.things_to_message(MovingThings(12.5, (thing,)), header_at(12.5, "odom"))
    found = moving.things_from_message(message)
    assert found.stamp == 12.5 and message.header.frame_id == "odom"
    (back,) = found.things
    assert (back.id, back.kind, back.radius, back.confidence) == (7, Kind.PERSON, 0.25, 0.75)
    assert np.array_equal(back.position, thing.position) and np.array_equal(back.velocity, thing.velocity)
    assert np.array_equal(back.covariance, covariance)


def test_nothing_is_a_message_too() -> None:
    assert moving.things_from_message(ThingsMessage()).things == ()


def test_a_thousand_things_are_refused_in_one_line() -> None:
    with pytest.raises(AmiError, match="1000 at once"):
        moving.things_from_message(ThingsMessage(things=[ThingMessage() for _ in range(1000)]))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(AmiError, match="9 is no kind"):
        moving.things_from_message(ThingsMessage(things=[ThingMessage(kind=9, radius=0.3)]))
