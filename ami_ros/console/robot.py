"""What the console asks of a stack: goals, stops, names of places, parameters; nothing goes past the gate."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_interfaces.msg import KeepAway, NavigationGoal
from ami_interfaces.srv import RecallPlaces, RememberPlace
from ami_ros.console import requests
from ami_ros.console.driving import Errand, Errands, Hand, reply
from ami_ros.console.kept import KeepOutStrokes, Picture, Pictures
from ami_ros.console.listener import Listener
from ami_ros.console.requests import Parameters, Request, Tune
from ami_ros.console.scene import Scene, data_url
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.ros.goals.robot_client import HOME, pose_goal
from ami_ros.ros.messages.conversions import compressed_message, polygon_message, pose_to_message
from ami_ros.ros.messages.memory import keep_away_to_message
from ami_ros.ros.node.qos import LATCHED

SIMPLE = {
    ParameterType.PARAMETER_BOOL: bool, ParameterType.PARAMETER_INTEGER: int,
    ParameterType.PARAMETER_DOUBLE: float, ParameterType.PARAMETER_STRING: str,
}  # fmt: skip


@dataclass(frozen=True)
class RobotConfig:
    """What is asked of a stack, and how."""

    goal_allowance: float = 300.0  # [s] to get to a goal
    clear: float = 0.1  # [m] between a painted area and the robot, so that the gate lets it leave
    near: float = 0.75  # [m] around a spot within which memory's picture of it may be
    patience: float = 3.0  # [s] for a node to answer about its parameters


class StackRobot:
    """Answers requests by the stack of a robot; see `console.desk.Robot`. Any thread may ask.

    Args:
        node: spun by `executor`.
        executor: whose thread does everything.
        scene: what is known.
        listener: hears it.
        keep_out: what was painted.
        tell: gets a line when something ended.
        save: writes the bag of the last minutes, and says where; None: none is kept.
    """

    def __init__(
        self, node: Node, executor: Executor, scene: Scene, listener: Listener, keep_out: KeepOutStrokes,
        tell: Callable[[str], None], save: Callable[[], str] | None,
    ) -> None:  # fmt: skip
        self._executor, self._scene, self._listener, self._config = executor, scene, listener, RobotConfig()
        self.pictures, self.keep_out, self._save = Pictures(), keep_out, save
        self._errands = Errands(node, scene, tell)
        self._tuning = Tuning(node, self._config.patience)
        self._hand = Hand(node, scene, self._errands.cancel, tell)
        self._areas = node.create_publisher(KeepAway, "keep_out_areas", LATCHED)
        services: dict[str, Any] = {
            "safety/emergency_stop": Trigger, "safety/release": Trigger,
            "memory/remember": RememberPlace, "memory/recall": RecallPlaces,
        }  # fmt: skip
        self._services = {name: node.create_client(kind, name) for name, kind in services.items()}
        self._matched: tuple[float, ...] = ()
        listener.ticked += [self._errands.look, self._match]
        self._show_areas()
        # What each request does: gives words or values for who asked, or None where the answer comes later.
        self._does: dict[type[Request], Callable[[Any, Future[Any]], Any]] = {
            requests.Stop: self._stop,
            requests.Release: lambda asked, answer: self._call(
                "safety/release", Trigger.Request(), answer, "released; old commands do not come back"
            ),
            requests.Cancel: self._cancel,
            requests.Pause: lambda asked, answer: self._errands.pause(),
            requests.Resume: self._resume,
            requests.GoTo: self._go_to,
            requests.GoToPlace: lambda asked, answer: self._go(asked, self._place(asked.name), answer),
            requests.GoHome: lambda asked, answer: self._go(asked, self._place(HOME), answer),
            requests.GoToPicture: self._go_to_picture,
            requests.Explore: self._explore,
            requests.Patrol: self._patrol,
            requests.NamePlace: lambda asked, answer: self._call(
                "memory/remember", RememberPlace.Request(label=asked.name, place_id=asked.place), answer,
                f"the place is called {asked.name}",
            ),
            requests.KeepOut: self._paint,
            requests.ClearKeepOut: self._clear,
            requests.KeepView: self._keep_view,
            requests.SaveBag: self._save_bag,
            requests.Thumbnail: lambda asked, answer: self._recall(
                np.array([asked.x, asked.y, 0.0]), 0.05, partial(reply, answer)
            ),
            requests.Parameters: self._tuning.ask,
            requests.Tune: self._tuning.ask,
            requests.History: lambda asked, answer: {"history": self._scene.history()},
        }  # fmt: skip

    # What a desk calls, on any thread

    def ask(self, request: Request) -> Future[Any]:
        """The answer comes when the stack has given one; an AmiError says why it is none."""
        answer: Future[Any] = Future()
        self._executor.create_task(self._serve, request, answer)
        return answer

    def steer(self, linear: float, angular: float) -> None:
        """By shares of the speeds; see `DeadMan`."""
        self._hand.dead_man.steer(linear, angular, time.monotonic())
        if not self._scene.by_hand:
            self._executor.create_task(self._hand.nudge)

    def let_go(self) -> None:
        """Who steered is gone: zero is sent from now on."""
        self._hand.dead_man.let_go(time.monotonic())

    def add_picture(self, data: bytes, title: str) -> Picture:
        """Keeps a picture to send the robot to. Raises AmiError if it is none."""
        picture = self.pictures.add(data, title)
        self._scene.documents.put("pictures", {"pictures": self.pictures.listed()})
        return picture

    def close(self) -> None:
        """The robot is steered no more; on the executor's thread, or after it."""
        self._hand.end()
        for client in self._errands.clients.values():
            client.destroy()

    # On the executor's thread

    def _serve(self, request: Request, answer: Future[Any]) -> None:
        try:
            if request.goes and self._scene.stopped:
                raise AmiError("the robot is stopped; release the stop first")
            if type(request) not in self._does:
                raise AmiError(f"{request} is not possible here")
            value = self._does[type(request)](request, answer)
        except AmiError as error:
            value = error
        except Exception as error:  # of ours; whoever asked must not wait for ever
            reply(answer, AmiError(f"{request}: {type(error).__name__}: {error}"))
            raise
        if value is not None:
            reply(answer, value)

    def _stop(self, request: requests.Stop, answer: Future[Any]) -> None:
        self._hand.end()
        self._errands.interrupt()
        self._call("safety/emergency_stop", Trigger.Request(), answer, "stopped, until it is released")

    def _cancel(self, request: requests.Cancel, answer: Future[Any]) -> str:
        self._hand.end()
        if not self._errands.cancel():
            raise AmiError("nobody drives in this ROS domain and namespace")
        return "cancelled; the robot stands"

    def _resume(self, request: requests.Resume, answer: Future[Any]) -> None:
        self._hand.end()
        self._errands.resume(answer)

    def _go(self, request: Request, goal: NavigationGoal, answer: Future[Any]) -> None:
        asked = NavigateToGoal.Goal(goal=goal)
        if isinstance(request, requests.GoTo) and request.yaw is None:  # any heading will do
            asked.angle_tolerance = math.pi
        self._send(Errand(str(request), "navigate_to_goal", asked, self._config.goal_allowance), answer)

    def _go_to(self, request: requests.GoTo, answer: Future[Any]) -> None:
        pose = np.array([request.x, request.y, request.yaw or 0.0])
        self._go(request, pose_goal(pose, self._scene.map_frame), answer)

    def _go_to_picture(self, request: requests.GoToPicture, answer: Future[Any]) -> None:
        picture = self.pictures.get(request.picture)
        image = compressed_message(picture.data, "png" if picture.data.startswith(b"\x89PNG") else "jpeg")
        self._go(request, NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=image), answer)

    def _explore(self, request: requests.Explore, answer: Future[Any]) -> None:
        area = polygon_message(request.area, Header(frame_id=self._scene.map_frame))
        mission = RunMission.Goal(kind=RunMission.Goal.EXPLORE, area=area)
        corners = [list(corner) for corner in request.area]
        self._send(Errand(str(request), "run_mission", mission, 60.0 * request.minutes, corners), answer)

    def _patrol(self, request: requests.Patrol, answer: Future[Any]) -> None:
        mission = RunMission.Goal(kind=RunMission.Goal.VISIT_IN_ORDER)
        mission.goals = [self._place(name) for name in request.names] * request.rounds
        mission.waits = [1.0] * len(mission.goals)
        self._send(Errand(str(request), "run_mission", mission, 0.0), answer)

    def _send(self, errand: Errand, answer: Future[Any]) -> None:
        self._hand.end()
        self._errands.send(errand, answer)

    def _place(self, name: str) -> NavigationGoal:
        if name == HOME and HOME not in self._scene.labels.values():
            return pose_goal(np.zeros(3), self._scene.map_frame)  # where the memory began
        return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label=name)

    def _paint(self, request: requests.KeepOut, answer: Future[Any]) -> str:
        self.keep_out.paint(request, self._scene.pose, self._scene.reach + self._config.clear)
        self._show_areas()
        return "painted: the robot keeps out of there"

    def _clear(self, request: requests.ClearKeepOut, answer: Future[Any]) -> str:
        self.keep_out.clear(request.last)
        self._show_areas()
        return "taken away"

    def _keep_view(self, request: requests.KeepView, answer: Future[Any]) -> str:
        picture = self.add_picture(self._listener.view, f"view at {time.strftime('%H:%M:%S')}")
        return f"kept as picture {picture.number}"

    def _save_bag(self, request: requests.SaveBag, answer: Future[Any]) -> str:
        if self._save is None:
            raise AmiError("no bag is kept here; start without --no-bag")
        return self._save()

    def _call(self, name: str, request: Any, answer: Future[Any], words: str) -> None:
        client = self._services[name]
        if not client.service_is_ready():
            raise AmiError(f"nobody offers {name}: is the stack running, in this ROS domain and namespace?")

        def ended(future: Any) -> None:
            response = future.result()
            why = getattr(response, "error_msg", "") or getattr(response, "message", "")
            reply(answer, words if response.success else AmiError(f"{name}: {why}"))

        client.call_async(request).add_done_callback(ended)

    def _recall(self, pose: Array, radius: float, then: Callable[[dict[str, Any]], None]) -> None:
        """The picture that memory has of the place nearest to `pose` (3,) in the map."""
        client = self._services["memory/recall"]
        if not client.service_is_ready():
            raise AmiError("nobody offers memory/recall: is the stack running?")
        stamped = PoseStamped(header=Header(frame_id=self._scene.map_frame), pose=pose_to_message(pose))
        asked = RecallPlaces.Request(
            use_pose=True, pose=stamped, radius=float(radius), max_results=1, with_thumbnails=True
        )

        def ended(future: Any) -> None:
            found = {"place": 0, "src": "", "label": ""}
            for place in future.result().places:
                picture = bytes(place.thumbnail.data)
                found = {"place": int(place.id), "label": place.label, "src": data_url(picture) if picture else ""}
            then(found)

        client.call_async(asked).add_done_callback(ended)

    def _match(self) -> None:
        """Shows what memory has of where the goal is believed to be."""
        where, near = self._scene.goal_in_map, self._config.near
        spot = () if where is None else tuple(np.round(where[:2] / near).tolist())
        if spot == self._matched:
            return
        self._matched = spot
        if where is None:
            self._scene.documents.put("match", {"src": "", "place": 0, "label": ""})
        elif self._services["memory/recall"].service_is_ready():
            self._recall(where, near, lambda found: self._scene.documents.put("match", found))

    def _show_areas(self) -> None:
        circles = self.keep_out.circles
        header = Header(frame_id=self._scene.map_frame)
        self._areas.publish(keep_away_to_message(circles, header))
        self._scene.documents.put("keep_out", {"circles": np.round(circles, 3).tolist()})


class Tuning:
    """Parameters that may change while the stack runs: read off the nodes' own descriptors, and set there.

    Asks nodes on threads of their own, for each answer takes several questions.

    Args:
        node: that the clients are of.
        patience: [s] for a node to answer.
    """

    def __init__(self, node: Node, patience: float) -> None:
        self._node, self._patience = node, patience
        self._clients: dict[str, dict[str, Any]] = {}  # node -> service -> client

    def ask(self, request: Parameters | Tune, answer: Future[Any]) -> None:
        """Answers with the parameters of a node that may change, or sets one, or answers with the line with which the
        node refused it; on the executor's thread."""
        services = {
            "list_parameters": ListParameters, "describe_parameters": DescribeParameters,
            "get_parameters": GetParameters, "set_parameters": SetParameters,
        }  # fmt: skip
        if request.node not in self._clients:
            self._clients[request.node] = {
                name: self._node.create_client(kind, f"{request.node}/{name}") for name, kind in services.items()
            }

        def run() -> None:
            try:
                reply(answer, self._set(request) if isinstance(request, Tune) else self._list(request.node))
            except AmiError as error:
                reply(answer, error)

        threading.Thread(target=run, name="console tuning", daemon=True).start()

    def _list(self, node: str) -> dict[str, Any]:
        names = self._ask(node, "list_parameters", ListParameters.Request()).result.names
        not_ours = ("use_sim_time", "start_type_description_service", "qos_overrides")  # rclpy's own
        described = self._described(node, [n for n in names if n.split(".")[0] not in not_ours])
        values = self._ask(node, "get_parameters", GetParameters.Request(names=[d.name for d in described]))
        pairs = zip(described, map(parameter_value_to_python, values.values), strict=True)
        return {"node": node, "parameters": [row(about, value) for about, value in pairs]}

    def _described(self, node: str, names: list[str]) -> list[ParameterDescriptor]:
        found = self._ask(node, "describe_parameters", DescribeParameters.Request(names=names)).descriptors
        return [about for about in found if not about.read_only and about.type in SIMPLE]

    def _set(self, request: Tune) -> str:
        described = self._described(request.node, [request.name])
        if not described:
            raise AmiError(f"{request.node}: {request.name} is no parameter that may change while it runs")
        kind = SIMPLE[described[0].type]
        value = float(request.value) if kind is float and type(request.value) is int else request.value
        if type(value) is not kind:
            raise AmiError(f"{request.node}: {request.name} takes a value of type {kind.__name__}, not {value!r}")
        asked = SetParameters.Request(parameters=[Parameter(request.name, value=value).to_parameter_msg()])
        result = self._ask(request.node, "set_parameters", asked).results[0]
        if not result.successful:
            raise AmiError(result.reason)
        return f"{request.node}: {request.name} is {value} now"

    def _ask(self, node: str, service: str, request: Any) -> Any:
        client, came = self._clients[node][service], threading.Event()
        if not client.wait_for_service(self._patience):
            raise AmiError(f"nobody offers {node}/{service}: is the stack running, in this ROS domain and namespace?")
        future = client.call_async(request)
        future.add_done_callback(lambda _: came.set())
        if not came.wait(self._patience):
            raise AmiError(f"{node} did not answer within {self._patience:.0f} s")
        return future.result()


def row(about: ParameterDescriptor, value: Any) -> dict[str, Any]:
    """A parameter as the page shows it; its unit stands in brackets before or behind the words of its description."""
    found = re.match(r"^\[([^]]*)\]\s*(.*)$|^(.*?)\s*\[([^]]*)\]$", about.description)
    before, after, words, behind = found.groups() if found else (None, None, about.description, None)
    [limits] = list(about.floating_point_range or about.integer_range)[:1] or [None]
    said = ((after if before else words) or "").rstrip(".")
    return {
        "name": about.name, "value": value, "unit": before or behind or "",
        "words": "; ".join(filter(None, (said, about.additional_constraints))),
        "low": None if limits is None else limits.from_value, "high": None if limits is None else limits.to_value,
    }  # fmt: skip
