"""A recorded run as the console shows a live one: the bag's messages go through the same handlers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from geometry_msgs.msg import Twist
from sensor_msgs.msg import CompressedImage

from ami_ros.console import requests
from ami_ros.console.desk import done
from ami_ros.console.listener import Heard, Listener
from ami_ros.console.requests import Request
from ami_ros.console.scene import Scene
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_reader import BagReader


class Recording:
    """Answers requests where there is no robot; see `console.desk.Robot`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def ask(self, request: Request) -> Future[Any]:
        """Only what was seen."""
        if isinstance(request, requests.History):
            return done({"history": self._scene.history()})
        answer: Future[Any] = Future()
        answer.set_exception(AmiError("this is a recording: nothing can be asked of it"))
        return answer

    def steer(self, linear: float, angular: float) -> None:
        """There is nothing to steer."""

    def let_go(self) -> None:
        """Nor to let go."""


class Replay:
    """Plays a bag into a scene.

    Args:
        bag: folder or file.
        scene: see there.
        names: the robot's own names of topics -> those of the stack.

    Raises:
        AmiError: it cannot be read, or has nothing that a page shows.
    """

    def __init__(self, bag: Path, scene: Scene, names: Mapping[str, str]) -> None:
        self._listener = Listener(None, scene)
        self._scene = scene
        scene.recording = True
        self._bag = BagReader(bag)
        self._topics: dict[str, str] = {}  # of the bag -> of the listener
        others = {"sensor_msgs/msg/CompressedImage": CompressedImage, "geometry_msgs/msg/Twist": Twist}
        # The namespace that most of its topics are in, such as /robot1; "" for none.
        known = {*names, *self._listener.topics}
        pairs = ((topic, f"/{name}") for topic in self._bag.topics for name in known)
        spaces = (topic.removesuffix(name) for topic, name in pairs if topic.endswith(name))
        space = next((space for space, _ in Counter(spaces).most_common(1)), "")
        for topic, about in self._bag.topics.items():
            name = topic.removeprefix(space).strip("/")
            name = names.get(name, name)
            name = "image" if name == "image/compressed" else f"/{name}" if name == "tf_static" else name
            heard = self._listener.topics.get(name)
            if heard is not None:
                self._topics[topic] = name
                kind = others.get(about.type_name, heard.kind)
                self._listener.topics[name] = Heard(kind, heard.qos, heard.take)
        if not self._topics:
            self._bag.close()
            raise AmiError(f"{bag} has none of the topics that a page shows: {', '.join(self._listener.topics)}")

    def play(self, speed: float) -> float:
        """Plays it to its end, so many times as fast as it was; returns its length [s]."""
        began, first, looked, stamp = time.monotonic(), None, 0, 0
        for topic, stamp, data in self._bag.messages(list(self._topics)):
            first = stamp if first is None else first
            self._listener.hear(self._topics[topic], data)
            if stamp - looked >= self._listener.config.period * speed * 1e9:
                looked = stamp
                time.sleep(max(0.0, (stamp - first) * 1e-9 / speed - (time.monotonic() - began)))
                self._listener.look()
                self._scene.heard = time.monotonic()
        self._listener.look()
        return 0.0 if first is None else (stamp - first) * 1e-9

    def close(self) -> None:
        """Closes the bag."""
        self._bag.close()
