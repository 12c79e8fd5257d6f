"""What Gazebo is asked beside topics, with a stand-in for gz.transport that does what its bindings do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.ros.gazebo_world import GazeboPatience, GazeboWorld
from ami_ros.simulation.gazebo.robot_sdf import AWAY, PHOTOGRAPHER, PICTURE, TRIGGER


class Message(SimpleNamespace):
    """A protobuf message as far as it is written to here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = Message()
        setattr(self, name, value)
        return value


class StandIn:
    """Gazebo's server and the bindings' Node in one; a picture shows where its camera was at the trigger before."""

    SubscribeOptions = SimpleNamespace

    def __init__(self, obeys: bool = True) -> None:
        self.obeys, self.heard, self.moves = obeys, dict[str, Any](), list[tuple[str, float, float]]()
        self.deaf: list[bool] = []  # at each request
        self._shown = 0.0

    def Node(self) -> StandIn:
        return self

    def message(self, module: str, name: str) -> Any:
        return Message

    def advertise(self, topic: str, kind: Any) -> Any:
        assert topic == TRIGGER
        return SimpleNamespace(publish=self._expose)

    def subscribe(self, kind: Any, topic: str, receive: Any, options: Any) -> bool:
        self.heard[topic] = receive
        return True

    def unsubscribe(self, topic: str) -> bool:
        return self.heard.pop(topic, None) is not None

    def request(self, service: str, request: Any, kind: Any, answer: Any, patience: int) -> tuple[bool, Any]:
        assert service == "/world/home/set_pose"
        self.deaf.append(set(self.heard) <= {PICTURE})
        self.moves.append((request.name, request.position.x, request.position.z))
        return True, Message(data=self.obeys)

    def _expose(self, message: Any) -> None:
        pixels = np.full((2, 2, 3), self._shown, np.uint8)
        self._shown = self.moves[-1][1]
        header = Message(stamp=Message(sec=1, nsec=0), data=[])
        self.heard[PICTURE](Message(header=header, width=2, height=2, pixel_format_type=3, data=pixels.tobytes()))


def test_picture_is_of_the_place_that_was_asked_for_and_the_camera_leaves_again() -> None:
    gazebo = StandIn()
    world = GazeboWorld(gazebo, "home", "ami_bot", "/model/ami_bot/contacts")
    assert (world.photograph(np.array([7.0, 2.0, 0.5])) == 7).all()
    assert (world.photograph(np.array([9.0, 2.0, 0.5])) == 9).all()
    assert [move[0] for move in gazebo.moves] == [PHOTOGRAPHER] * 4 and gazebo.moves[-1][2] == AWAY[2]


def test_nothing_is_listened_to_while_gazebo_is_asked() -> None:
    """gz.transport 13.5 for Python waits for the answer with Python's lock, which messages that come before it need."""
    gazebo = StandIn()
    world = GazeboWorld(gazebo, "home", "ami_bot", "/model/ami_bot/contacts")
    world.place(np.array([1.0, 2.0, 0.5]))
    assert gazebo.deaf == [True] and "/model/ami_bot/contacts" in gazebo.heard


def test_request_that_gazebo_refuses_is_an_error() -> None:
    world = GazeboWorld(StandIn(obeys=False), "home", "ami_bot", "/bumper", GazeboPatience(answer=1))
    with pytest.raises(AmiError, match="did not move 'ami_bot'"):
        world.place(np.zeros(3))


def test_contacts_are_counted_by_their_beginnings() -> None:
    gazebo = StandIn()
    world = GazeboWorld(gazebo, "home", "ami_bot", "/bumper")
    for moment in (1.0, 1.004, 1.1, 2.0):
        stamp = Message(sec=int(moment), nsec=int(moment % 1 * 1e9))
        touch = Message(collision1=Message(id=5), collision2=Message(id=7))
        gazebo.heard["/bumper"](Message(header=Message(stamp=stamp), contact=[touch]))
    assert world.contacts == 2


def test_closed_it_listens_to_nothing() -> None:
    gazebo = StandIn()
    GazeboWorld(gazebo, "home", "ami_bot", "/bumper").close()
    assert gazebo.heard == {}
