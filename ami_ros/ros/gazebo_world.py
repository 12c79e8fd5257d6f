"""What Gazebo is asked beside topics: to put the robot somewhere, to take a picture, and what the robot ran into."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.images import Image, image_of
from ami_ros.ros.messages.gazebo import image_from_gazebo
from ami_ros.simulation.contacts import ContactCounter
from ami_ros.simulation.gazebo.robot_sdf import AWAY, PHOTOGRAPHER, PICTURE, TRIGGER


@dataclass(frozen=True)
class GazeboPatience:
    """With Gazebo's answers and pictures."""

    answer: int = 1000  # [ms] within which it says whether it will do it
    tries: int = 10  # of a request, and of a picture
    exposure: float = 2.0  # [s] that a picture may take


class GazeboWorld:
    """Called from one thread; Gazebo calls back on another.

    While gz.transport for Python (13.5) waits for an answer it holds Python's lock, which the thread that brings the
    answer needs for every message that comes before it. So nothing is listened to meanwhile.

    Args:
        gz: as `messages.gazebo.transport` gives it.
        world: its name in Gazebo.
        model: that of the robot.
        contacts: topic of its bumper.
        patience: see there.

    Raises:
        AmiError: Gazebo's topics cannot be subscribed to.
    """

    def __init__(self, gz: Any, world: str, model: str, contacts: str, patience: GazeboPatience | None = None) -> None:
        self._patience = patience or GazeboPatience()
        self._gz, self._service, self._model, self._bumper = gz, f"/world/{world}/set_pose", model, contacts
        self._node = gz.Node()
        self._trigger = self._node.advertise(TRIGGER, gz.message("boolean", "Boolean"))
        self._counter, self._picture, self._seen = ContactCounter(), None, threading.Event()
        self._listen("image", "Image", PICTURE, self._take_picture)
        self._listen("contacts", "Contacts", contacts, self._take_contacts)

    def close(self) -> None:
        """Listens to nothing any more: while it does, Gazebo's side and it keep each other alive."""
        for topic in (PICTURE, self._bumper):
            self._node.unsubscribe(topic)

    @property
    def contacts(self) -> int:
        """How often the robot ran into something."""
        return self._counter.count

    def place(self, pose: np.ndarray) -> None:
        """Puts the robot at `pose` (3,). Raises AmiError: Gazebo does not do it."""
        self._move(self._model, (pose[0], pose[1], 0.0), pose[2])
        self._counter.moved_elsewhere()

    def photograph(self, pose: np.ndarray) -> Image:
        """The picture that the robot's camera would take at `pose` (3,). Raises AmiError: none came."""
        self._move(PHOTOGRAPHER, (pose[0], pose[1], 0.0), pose[2])
        try:
            self._expose()  # this one may still be of where it was before
            return self._expose()
        finally:
            self._move(PHOTOGRAPHER, AWAY[:3], AWAY[5])

    def _expose(self) -> Image:
        patience = self._patience
        for _ in range(patience.tries):
            self._seen.clear()
            self._trigger.publish(self._gz.message("boolean", "Boolean")(data=True))
            if self._seen.wait(patience.exposure):
                return image_of(image_from_gazebo(self._picture))
        waited = patience.tries * patience.exposure
        raise AmiError(f"Gazebo took no picture within {waited:.0f} s: does it run, and can it draw?")

    def _move(self, name: str, place: tuple[float, ...], yaw: float) -> None:
        kind, answer = self._gz.message("pose", "Pose"), self._gz.message("boolean", "Boolean")
        request = kind(name=name)
        request.position.x, request.position.y, request.position.z = (float(v) for v in place)
        request.orientation.w, request.orientation.z = math.cos(yaw / 2), math.sin(yaw / 2)
        self._node.unsubscribe(self._bumper)
        try:
            for _ in range(self._patience.tries):
                done, said = self._node.request(self._service, request, kind, answer, self._patience.answer)
                if done and said.data:
                    return
                time.sleep(self._patience.answer / 10_000)
        finally:
            self._listen("contacts", "Contacts", self._bumper, self._take_contacts)
        raise AmiError(f"Gazebo did not move '{name}': is {self._service} there, and does the world have that model?")

    def _listen(self, module: str, kind: str, topic: str, receive: Any) -> None:
        if not self._node.subscribe(self._gz.message(module, kind), topic, receive, self._gz.SubscribeOptions()):
            raise AmiError(f"Gazebo's topic {topic} cannot be subscribed to")

    def _take_picture(self, message: Any) -> None:
        self._picture = message
        self._seen.set()

    def _take_contacts(self, message: Any) -> None:
        touched = {(contact.collision1.id, contact.collision2.id) for contact in message.contact}
        self._counter.update(touched, message.header.stamp.sec + message.header.stamp.nsec * 1e-9)
