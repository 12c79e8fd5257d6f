"""What the console asks of a stack: goals, stops, names of places, parameters; nothing goes past the gate."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial, singledispatchmethod
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
from ami_ros.ros.goals.robot_client import HOME, pose_goal
from ami_ros.ros.messages.conversions import compressed_message, polygon_message, pose_to_message
from ami_ros.ros.messages.memory import keep_away_to_message
from ami_ros.ros.node.qos import LATCHED

# Parameters that may change while the stack runs: read off the nodes' own descriptors, and set there.

PATIENCE = 3.0  # [s] for a node to answer
NOT_OURS = "use_sim_time", "start_type_description_service", "qos_overrides"  # rclpy's own
SIMPLE = {
    ParameterType.PARAMETER_BOOL: bool, ParameterType.PARAMETER_INTEGER: int,
    ParameterType.PARAMETER_DOUBLE: float, ParameterType.PARAMETER_STRING: str,
}  # fmt: skip
SERVICES = {
    "list_parameters": ListParameters, "describe_parameters": DescribeParameters, "get_parameters": GetParameters,
    "set_parameters": SetParameters,
}  # fmt: skip
UNIT = re.compile(r"^\[([^]]*)\]\s*(.*)$|^(.*?)\s*\[([^]]*)\]$")  # of a description, before or behind the words


class Tuning:
    """Asks nodes on threads of their own, for each answer takes several questions.

    Args:
        node: that the clients are of.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clients: dict[str, dict[str, Any]] = {}  # node -> service -> client

    def tell(self, request: Parameters, answer: Future[Any]) -> None:
        """Answers with the parameters of a node that may change; on the executor's thread."""
        self._start(self._list, request, answer)

    def tune(self, request: Tune, answer: Future[Any]) -> None:
        """Sets one, or answers with the line with which the node refused it; on the executor's thread."""
        self._start(self._set, request, answer)

    def _start(self, work: Callable[[Any], Any], request: Parameters | Tune, answer: Future[Any]) -> None:
        if request.node not in self._clients:
            self._clients[request.node] = {
                name: self._node.create_client(kind, f"{request.node}/{name}") for name, kind in SERVICES.items()
            }

        def run() -> None:
            try:
                reply(answer, work(request))
            except AmiError as error:
                reply(answer, error)

        threading.Thread(target=run, name="console tuning", daemon=True).start()

    def _list(self, request: Parameters) -> dict[str, Any]:
        names = self._ask(request.node, "list_parameters", ListParameters.Request()).result.names
        described = self._described(request.node, [n for n in names if n.split(".")[0] not in NOT_OURS])
        values = self._ask(request.node, "get_parameters", GetParameters.Request(names=[d.name for d in described]))
        pairs = zip(described, map(parameter_value_to_python, values.values), strict=True)
        return {"node": request.node, "parameters": [row(about, value) for about, value in pairs]}

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
        if not client.wait_for_service(PATIENCE):
            raise AmiError(f"nobody offers {node}/{service}: is the stack running, in this ROS domain and namespace?")
        future = client.call_async(request)
        future.add_done_callback(lambda _: came.set())
        if not came.wait(PATIENCE):
            raise AmiError(f"{node} did not answer within {PATIENCE:.0f} s")
        return future.result()


def row(about: ParameterDescriptor, value: Any) -> dict[str, Any]:
    """A parameter as the page shows it."""
    found = UNIT.match(about.description)
    before, after, words, behind = found.groups() if found else (None, None, about.description, None)
    [limits] = list(about.floating_point_range or about.integer_range)[:1] or [None]
    said = ((after if before else words) or "").rstrip(".")
    return {
        "name": about.name, "value": value, "unit": before or behind or "",
        "words": "; ".join(filter(None, (said, about.additional_constraints))),
        "low": None if limits is None else limits.from_value, "high": None if limits is None else limits.to_value,
    }  # fmt: skip


# What the console asks of a stack: goals, missions, stops, names of places; nothing that goes past the gate.

GOAL_ALLOWANCE = 300.0  # [s] to get to a goal
CLEAR = 0.1  # [m] between a painted area and the robot, so that the gate lets it leave
NEAR = 0.75  # [m] around a spot within which memory's picture of it may be


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
        self._node, self._executor, self._scene, self._listener = node, executor, scene, listener
        self.pictures, self.keep_out, self._save = Pictures(), keep_out, save
        self._errands = Errands(node, scene, tell)
        self._tuning = Tuning(node)
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
        self._errands.destroy()

    # On the executor's thread

    def _serve(self, request: Request, answer: Future[Any]) -> None:
        try:
            if request.goes and self._scene.stopped:
                raise AmiError("the robot is stopped; release the stop first")
            value = self._do(request, answer)
        except AmiError as error:
            value = error
        except Exception as error:  # of ours; whoever asked must not wait for ever
            reply(answer, AmiError(f"{request}: {type(error).__name__}: {error}"))
            raise
        if value is not None:
            reply(answer, value)

    @singledispatchmethod
    def _do(self, request: Request, answer: Future[Any]) -> Any:
        """Does it; None where the answer comes later."""
        raise AmiError(f"{request} is not possible here")

    @_do.register
    def _(self, request: requests.Stop, answer: Future[Any]) -> Any:
        self._hand.end()
        self._errands.interrupt()
        self._call("safety/emergency_stop", Trigger.Request(), answer, "stopped, until it is released")

    @_do.register
    def _(self, request: requests.Release, answer: Future[Any]) -> Any:
        self._call("safety/release", Trigger.Request(), answer, "released; old commands do not come back")

    @_do.register
    def _(self, request: requests.Cancel, answer: Future[Any]) -> Any:
        self._hand.end()
        if not self._errands.cancel():
            raise AmiError("nobody drives in this ROS domain and namespace")
        return "cancelled; the robot stands"

    @_do.register
    def _(self, request: requests.Pause, answer: Future[Any]) -> Any:
        return self._errands.pause()

    @_do.register
    def _(self, request: requests.Resume, answer: Future[Any]) -> Any:
        self._hand.end()
        self._errands.resume(answer)

    @_do.register
    def _(self, request: requests.GoTo, answer: Future[Any]) -> Any:
        pose = np.array([request.x, request.y, request.yaw or 0.0])
        self._go(request, pose_goal(pose, self._scene.map_frame), answer, any_heading=request.yaw is None)

    @_do.register
    def _(self, request: requests.GoToPlace, answer: Future[Any]) -> Any:
        self._go(request, self._place(request.name), answer)

    @_do.register
    def _(self, request: requests.GoHome, answer: Future[Any]) -> Any:
        self._go(request, self._place(HOME), answer)

    @_do.register
    def _(self, request: requests.GoToPicture, answer: Future[Any]) -> Any:
        picture = self.pictures.get(request.picture)
        image = compressed_message(picture.data, "png" if picture.data.startswith(b"\x89PNG") else "jpeg")
        self._go(request, NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=image), answer)

    @_do.register
    def _(self, request: requests.Explore, answer: Future[Any]) -> Any:
        self._hand.end()
        area = polygon_message(request.area, Header(frame_id=self._scene.map_frame))
        mission = RunMission.Goal(kind=RunMission.Goal.EXPLORE, area=area)
        corners = [list(corner) for corner in request.area]
        self._errands.send(Errand(str(request), "run_mission", mission, 60.0 * request.minutes, corners), answer)

    @_do.register
    def _(self, request: requests.Patrol, answer: Future[Any]) -> Any:
        self._hand.end()
        mission = RunMission.Goal(kind=RunMission.Goal.VISIT_IN_ORDER)
        mission.goals = [self._place(name) for name in request.names] * request.rounds
        mission.waits = [1.0] * len(mission.goals)
        self._errands.send(Errand(str(request), "run_mission", mission, 0.0), answer)

    @_do.register
    def _(self, request: requests.NamePlace, answer: Future[Any]) -> Any:
        asked = RememberPlace.Request(label=request.name, place_id=request.place)
        self._call("memory/remember", asked, answer, f"the place is called {request.name}")

    @_do.register
    def _(self, request: requests.KeepOut, answer: Future[Any]) -> Any:
        self.keep_out.paint(request, self._scene.pose, self._scene.reach + CLEAR)
        self._show_areas()
        return "painted: the robot keeps out of there"

    @_do.register
    def _(self, request: requests.ClearKeepOut, answer: Future[Any]) -> Any:
        self.keep_out.clear(request.last)
        self._show_areas()
        return "taken away"

    @_do.register
    def _(self, request: requests.KeepView, answer: Future[Any]) -> Any:
        picture = self.add_picture(self._listener.view, f"view at {time.strftime('%H:%M:%S')}")
        return f"kept as picture {picture.number}"

    @_do.register
    def _(self, request: requests.SaveBag, answer: Future[Any]) -> Any:
        if self._save is None:
            raise AmiError("no bag is kept here; start without --no-bag")
        return self._save()

    @_do.register
    def _(self, request: requests.Thumbnail, answer: Future[Any]) -> Any:
        self._recall(np.array([request.x, request.y, 0.0]), 0.05, partial(reply, answer))

    @_do.register
    def _(self, request: requests.Parameters, answer: Future[Any]) -> Any:
        self._tuning.tell(request, answer)

    @_do.register
    def _(self, request: requests.Tune, answer: Future[Any]) -> Any:
        self._tuning.tune(request, answer)

    @_do.register
    def _(self, request: requests.History, answer: Future[Any]) -> Any:
        return {"history": self._scene.history()}

    def _go(self, request: Request, goal: NavigationGoal, answer: Future[Any], any_heading: bool = False) -> None:
        self._hand.end()
        asked = NavigateToGoal.Goal(goal=goal)
        if any_heading:
            asked.angle_tolerance = math.pi
        self._errands.send(Errand(str(request), "navigate_to_goal", asked, GOAL_ALLOWANCE), answer)

    def _place(self, name: str) -> NavigationGoal:
        if name == HOME and HOME not in self._scene.labels.values():
            return pose_goal(np.zeros(3), self._scene.map_frame)  # where the memory began
        return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label=name)

    def _call(self, name: str, request: Any, answer: Future[Any], words: str) -> None:
        client = self._services[name]
        if not client.service_is_ready():
            raise AmiError(f"nobody offers {name}: is the stack running, in this ROS domain and namespace?")

        def ended(future: Any) -> None:
            response = future.result()
            why = getattr(response, "error_msg", "") or getattr(response, "message", "")
            reply(answer, words if response.success else AmiError(f"{name}: {why}"))

        client.call_async(request).add_done_callback(ended)

    def _recall(self, pose: np.ndarray, radius: float, then: Callable[[dict[str, Any]], None]) -> None:
        """The picture that memory has of the place nearest to `pose` (3,) in the map."""
        client = self._services["memory/recall"]
        if not client.service_is_ready():
            raise AmiError("nobody offers memory/recall: is the stack running?")
        stamped = PoseStamped(header=Header(frame_id=self._scene.map_frame), pose=pose_to_message(pose))
        asked = RecallPlaces.Request(
            use_pose=True, pose=stamped, radius=float(radius), max_results=1, with_thumbnails=True
        )

        def ended(future: Any) -> None:
            places = future.result().places
            if not places:
                then({"place": 0, "src": "", "label": ""})
                return
            place, picture = places[0], bytes(places[0].thumbnail.data)
            then({"place": int(place.id), "label": place.label, "src": data_url(picture) if picture else ""})

        client.call_async(asked).add_done_callback(ended)

    def _match(self) -> None:
        """Shows what memory has of where the goal is believed to be."""
        where = self._scene.goal_in_map
        spot = () if where is None else tuple(np.round(where[:2] / NEAR).tolist())
        if spot == self._matched:
            return
        self._matched = spot
        if where is None:
            self._scene.documents.put("match", {"src": "", "place": 0, "label": ""})
        elif self._services["memory/recall"].service_is_ready():
            self._recall(where, NEAR, lambda found: self._scene.documents.put("match", found))

    def _show_areas(self) -> None:
        circles = self.keep_out.circles
        header = Header(frame_id=self._scene.map_frame)
        self._areas.publish(keep_away_to_message(circles, header))
        self._scene.documents.put("keep_out", {"circles": np.round(circles, 3).tolist()})
