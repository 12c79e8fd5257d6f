"""A console whose robot writes down what it is asked."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np

from ami_ros.console import requests
from ami_ros.console.desk import Desk, Keys, done
from ami_ros.console.kept import Pictures
from ami_ros.console.requests import Request
from ami_ros.console.scene import Mission, Scene, data_url
from ami_ros.console.server import ConsoleServer
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png

MAP = np.zeros((80, 120, 4), np.uint8)
MAP[10:70, 10:110] = 255
MAP[10:70, 10:12] = (55, 55, 55, 255)


class Asked:
    """What reaches the robot's side."""

    def __init__(self) -> None:
        self.got: list[Request] = []
        self.steered: list[tuple[float, float]] = []
        self.refuses = ""

    def ask(self, request: Request) -> Future[Any]:
        self.got.append(request)
        if self.refuses:
            raise AmiError(self.refuses)
        if isinstance(request, requests.History):
            return done({"history": []})
        if isinstance(request, requests.Thumbnail):
            return done({"place": request.place, "label": "", "src": data_url(encode_png(MAP[:8, :8, :3].copy()))})
        if isinstance(request, requests.Parameters):
            about = {
                "name": "gate.max_linear",
                "value": 0.5,
                "unit": "m/s",
                "words": "forwards",
                "low": 0.0,
                "high": 2.0,
            }
            return done({"node": request.node, "parameters": [about, {**about, "name": "gate.stop", "value": True}]})
        return done("accepted")

    def steer(self, linear: float, angular: float) -> None:
        self.steered.append((linear, angular))

    def let_go(self) -> None:
        self.steered.append((0.0, 0.0))

    def newest(self, kind: type[Request]) -> Request | None:
        """The newest request of a kind."""
        return next((request for request in reversed(self.got) if isinstance(request, kind)), None)


class Bench:
    """A server with a scene of a robot in a room of 5 m by 3 m."""

    def __init__(self) -> None:
        self.robot, self.scene, self.pictures = Asked(), Scene(), Pictures()
        self.desk = Desk(self.robot, Keys.new())
        self.server = ConsoleServer(self.desk, self.scene, self._keep, port=0)
        scene = self.scene
        scene.heard, scene.planner_state, scene.decision = float("inf"), "idle", "no goal"
        scene.located(np.array([1.0, 1.0, 0.5]), np.zeros(3), True, 0.95)
        scene.moved(np.zeros(3))
        scene.mission = Mission("driving", 0, 2, 60.0, 600.0, float("inf"))
        picture = cv2.imencode(".png", MAP)[1].tobytes()
        grid = {"src": data_url(picture), "origin": [-0.5, -0.5], "resolution": 0.05, "size": [120, 80]}
        scene.documents.put("map", grid)
        places = {
            "places": [[1, 1.0, 1.0, 0.0], [2, 3.0, 1.0, 0.0]],
            "ways": [[0, 1, 0, 2]],
            "labels": {"2": "kitchen"},
        }
        scene.documents.put("places", places)

    def _keep(self, data: bytes, title: str) -> Any:
        picture = self.pictures.add(data, title)
        self.scene.documents.put("pictures", {"pictures": self.pictures.listed()})
        return picture
