"""The console against real nodes: what it sends goes through the gate, and hostile pages do not move the robot."""

from __future__ import annotations

import array
import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer
from rosbags.interfaces import ConnectionExtRosbag2
from rosbags.rosbag2 import Reader as open_bag
from sensor_msgs.msg import LaserScan
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray
from websockets.sync.client import ClientConnection, connect

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import KeepAway, PlaceGraph, PlannerState, SharedMemory
from ami_ros.console.node import ConsoleSettings, RobotConsole
from ami_ros.memory.sharing.letters import Kind, Letter
from ami_ros.memory.types import OWN, key_of
from ami_ros.ros.messages.conversions import header_at, odometry_to_message, stamp_of
from ami_ros.ros.messages.memory import LETTERS, TOPIC, keep_away_from_message, letter_to_message
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.nodes.safety import SafetyNode
from harness.ros import RosPeer


class Bench:
    """A console, the real gate, and a robot whose laser sees a wall 3 m away; the robot is spun by the test."""

    def __init__(self, ros: RosPeer, folder: Path) -> None:
        self.ros = ros
        self.gate = SafetyNode(context=ros.context)
        self.gate.start()
        self._executor = LeanExecutor(context=ros.context)  # as in its own process: the test has much to spin
        self._executor.add_node(self.gate)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self.sent = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.goals: list[NavigateToGoal.Goal] = []
        self.ends_with = NavigateToGoal.Result.NONE
        self.planner = ros.node.create_publisher(PlannerState, "planner/state", RELIABLE)
        self.words = ros.node.create_publisher(String, "planner/decision", LATCHED)
        self.server = ActionServer(ros.node, NavigateToGoal, "navigate_to_goal", self._drive)
        scans = ros.node.create_publisher(LaserScan, "scan", 5)
        odometry = ros.node.create_publisher(Odometry, "odom", 5)
        self.state = PlannerState.IDLE

        def send() -> None:
            stamp = ros.node.get_clock().now().nanoseconds * 1e-9
            header = header_at(stamp, "base_link")
            ranges = array.array("f", [3.0] * 72)
            scans.publish(
                LaserScan(header=header, angle_min=-math.pi, angle_increment=math.pi / 36, range_min=0.1, range_max=8.0,
                          ranges=ranges)
            )  # fmt: skip
            odometry.publish(
                odometry_to_message(np.array([1.0, 2.0, 0.5]), (0.0, 0.0), header_at(stamp, "odom"), "base_link")
            )
            self.planner.publish(PlannerState(state=self.state))

        ros.node.create_timer(0.1, send)
        self.told: list[str] = []
        settings = ConsoleSettings(port=0, keep_out=folder / "keep_out.json", bags=folder / "bags")
        self.console = RobotConsole(ros.context, settings, self.told.append)
        self.host = f"127.0.0.1:{self.console.server.port}"

    def close(self) -> None:
        self.console.close()
        self.server.destroy()
        self._executor.shutdown()
        self._thread.join(5.0)
        self.gate.destroy_node()

    def _drive(self, handle: Any) -> NavigateToGoal.Result:
        self.goals.append(handle.request)
        if self.ends_with:
            handle.abort()
        else:
            handle.succeed()
        return NavigateToGoal.Result(error_code=self.ends_with)

    def link(self) -> ClientConnection:
        link = connect(f"ws://{self.host}/link", max_size=None).__enter__()
        link.send(json.dumps({"key": self.console.desk.keys.drive}))
        return link

    @property
    def moves(self) -> bool:
        """Whether the newest command that the robot got is not zero."""
        return bool(self.sent) and self.sent[-1].twist.linear.x != 0.0

    def hear(self, link: ClientConnection, kind: str, name: str = "") -> dict[str, Any]:
        """The next message of a kind, while the nodes go on."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            try:
                message = json.loads(link.recv(timeout=0))
            except TimeoutError:
                return False
            if message["kind"] == kind and message.get("name", "") == name:
                found.append(message)
            return bool(found)

        self.ros.spin_until(look, 15.0, kind)
        return found[0]

    def ask(self, link: ClientConnection, **request: Any) -> dict[str, Any]:
        """The answer to a request, or its error."""
        link.send(json.dumps({"id": 7, **request}))
        answers: list[dict[str, Any]] = []

        def look() -> bool:
            try:
                message = json.loads(link.recv(timeout=0))
            except TimeoutError:
                return False
            if message.get("id") == 7:
                answers.append(message)
            return bool(answers)

        self.ros.spin_until(look, 20.0, str(request))
        return answers[0]

    def lose(self, how: str) -> float:
        """Steers, loses the page, and returns how long the robot moved on [s], by the gate's own stamps."""
        link = self.link()
        self.steer(link)
        lost = time.time()
        if how == "cut":
            link.socket.shutdown(socket.SHUT_RDWR)
        elif how == "closed":
            link.close()
        after = len(self.sent)
        self.ros.spin_until(lambda: len(self.sent) > after + 5 and not self.moves, 5.0, "standstill")
        stood = len(self.sent)
        self.ros.spin_until(lambda: len(self.sent) > stood + 20)
        assert not any(message.twist.linear.x for message in self.sent[stood:])
        if how == "silent":
            link.close()
        self.ros.spin_until(lambda: self.console.desk.driver is None, 10.0, "the robot to be free")
        return max(stamp_of(message) for message in self.sent if message.twist.linear.x) - lost

    def steer(self, link: ClientConnection) -> None:
        """Steers until the robot moves."""
        last = 0.0

        def say() -> bool:
            nonlocal last
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                link.send('{"do": "steer", "linear": 1.0, "angular": 0.2}')
            return self.moves

        self.ros.spin_until(say, 20.0, "the robot to move")


@pytest.fixture
def bench(ros: RosPeer, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(ros, tmp_path)
    yield made
    made.close()


def test_nothing_is_heard_while_nobody_looks(bench: Bench) -> None:
    bench.ros.spin_until(lambda: bench.sent)
    node = bench.console.node.node
    recorded = len(list(node.subscriptions))  # of the bag of the last minutes
    link = bench.link()
    heard: list[dict[str, Any]] = []

    def all_is_known() -> bool:
        heard.append(bench.hear(link, "state"))
        state = heard[-1]["state"]
        return state["robot"] is not None and state["planner"] == "idle" and heard[-1]["live"]["scan"]

    bench.ros.spin_until(all_is_known, 15.0, lambda: str(heard[-1]))
    assert heard[-1]["state"]["robot"] == pytest.approx([1.0, 2.0, 0.5]) and len(heard[-1]["live"]["scan"]) == 72
    bench.words.publish(String(data="looks for the door"))
    bench.ros.spin_until(lambda: bench.hear(link, "state")["state"]["decision"] == "looks for the door", 15.0)
    link.close()
    bench.ros.spin_until(lambda: len(list(node.subscriptions)) <= recorded + 3, 10.0, "the end of the subscriptions")


def test_robots_that_share_their_memories_are_shown_with_how_much_of_theirs_is_on_this_map(bench: Bench) -> None:
    own, theirs = np.array([1, 2]), key_of("amr2") * OWN + np.array([1, 2, 3])
    sharing = bench.ros.node.create_publisher(SharedMemory, TOPIC, LETTERS)
    graph = bench.ros.node.create_publisher(PlaceGraph, "place_graph", LATCHED)
    zeros = [0.0] * 5
    graph.publish(PlaceGraph(ids=[*own.tolist(), *theirs.tolist()], x=zeros, y=zeros, yaw=zeros))
    said = {"encoder": "abc", "holds": {"amr2": [1, 5, 9, "x"], "amr1": [1, 2, 3, "x"]}}
    rows = SharedMemory(robot="amr2", kind=SharedMemory.ROWS, content=[1, 2, 3])

    def speak() -> None:
        sharing.publish(letter_to_message(Letter("ward", "amr2", "", 1.0, Kind.STATE, said)))
        sharing.publish(rows)  # what goes to all on the same topic

    bench.ros.node.create_timer(0.2, speak)
    link, heard = bench.link(), list[list[dict[str, Any]]]()

    def is_known() -> bool:
        heard.append(bench.hear(link, "document", "site")["value"]["robots"])
        return heard[-1][0]["here"] == 3

    bench.ros.spin_until(is_known, 15.0, lambda: str(heard[-1:]))
    assert [robot["name"] for robot in heard[-1]] == ["amr2"] and heard[-1][0]["copies"] == [["amr1 (away)", "2"]]
    link.close()


def test_who_steers_moves_the_robot_through_the_gate_and_nobody_sends_past_it(bench: Bench) -> None:
    link = bench.link()
    bench.steer(link)
    ends = bench.ros.node.get_publishers_info_by_topic("cmd_vel")
    assert {end.node_name for end in ends} == {"safety"}
    raw = bench.ros.node.get_publishers_info_by_topic("cmd_vel_raw")
    assert {end.node_name for end in raw} == {"console"}
    bench.ros.spin_until(lambda: not bench.moves, 5.0, "standstill after the last word")
    bench.ros.spin_until(
        lambda: not bench.ros.node.get_publishers_info_by_topic("cmd_vel_raw"), 10.0, "the end of the publisher"
    )
    link.close()


@pytest.mark.parametrize("how", ["cut", "closed", "silent"])
def test_a_page_that_is_lost_while_steering_stops_the_robot_within_half_a_second(bench: Bench, how: str) -> None:
    late = [bench.lose(how) for _ in range(3)]
    assert min(late) < 0.5, late  # a loaded machine may hold up a thread now and then


def test_the_stop_holds_until_it_is_released_whoever_steers(bench: Bench) -> None:
    link = bench.link()
    bench.steer(link)
    assert "stopped" in bench.ask(link, do="stop")["value"]
    assert bench.gate.is_stopped
    bench.ros.spin_until(lambda: bench.hear(link, "state")["state"]["stopped"], 10.0)
    for _ in range(20):
        link.send('{"do": "steer", "linear": 1.0}')
        count = len(bench.sent)
        bench.ros.spin_until(lambda count=count: len(bench.sent) > count)  # type: ignore[misc]
        assert not bench.moves
    assert "release the stop first" in bench.ask(link, do="goto", x=1, y=1)["error"]  # or it would go at the release
    assert bench.goals == []
    assert "released" in bench.ask(link, do="release")["value"]
    bench.steer(link)


def test_goals_go_to_the_planner_and_bad_ones_nowhere(bench: Bench) -> None:
    link = bench.link()
    for bad in (
        {"x": 1e9, "y": 0}, {"x": 0}, {"x": "0", "y": 0}, {"x": [1], "y": 0},
    ):  # fmt: skip
        assert bench.ask(link, do="goto", **bad)["kind"] == "error"
    link.send('{"id": 7, "do": "goto", "x": NaN, "y": 0}')
    assert "request" in bench.hear(link, "error")["error"]
    assert "drop it again" in bench.ask(link, do="goto_picture", picture=99)["error"]
    assert "path" in bench.ask(link, do="goto_place", name="../../etc/passwd")["error"]
    assert bench.goals == []
    assert "accepted" in bench.ask(link, do="goto", x=1.5, y=-2.0)["value"]
    bench.ros.spin_until(lambda: bench.goals)
    goal = bench.goals[0]
    assert (goal.goal.pose.pose.position.x, goal.goal.pose.header.frame_id) == (1.5, "map")
    assert goal.angle_tolerance == pytest.approx(math.pi)
    assert "accepted" in bench.ask(link, do="home")["value"]
    bench.ros.spin_until(lambda: len(bench.goals) == 2)
    assert "nobody offers run_mission" in bench.ask(link, do="explore", minutes=1)["error"]
    assert "no picture" in bench.ask(link, do="keep_view")["error"]
    assert "nothing is paused" in bench.ask(link, do="resume")["error"]
    assert not bench.moves


def test_what_a_button_on_the_robot_stopped_can_be_gone_on_with(bench: Bench) -> None:
    link = bench.link()
    bench.ends_with = NavigateToGoal.Result.EMERGENCY_STOP
    assert "accepted" in bench.ask(link, do="goto", x=1.5, y=-2.0)["value"]
    bench.ros.spin_until(lambda: bench.hear(link, "state")["state"]["paused"], 10.0, "the goal to be kept")
    bench.ends_with = NavigateToGoal.Result.NONE
    assert "accepted" in bench.ask(link, do="resume")["value"]
    bench.ros.spin_until(lambda: len(bench.goals) == 2)
    assert bench.goals[1].goal.pose.pose.position.x == 1.5


def test_parameters_are_told_by_the_node_and_set_as_far_as_it_allows(bench: Bench) -> None:
    link = bench.link()
    told = bench.ask(link, do="parameters", node="safety")["value"]
    known = {about["name"]: about for about in told["parameters"]}
    speed = known["gate.max_linear"]
    assert speed["value"] == 0.5 and speed["unit"] == "m/s" and "at most what it was at start" in speed["words"]
    assert not {"base_frame", "use_sim_time", "autostart"} & set(known)  # may not change; and is none of ours
    assert bench.ask(link, do="tune", node="safety", name="gate.max_linear", value=0.2)["value"].endswith("0.2 now")
    assert bench.gate.part.gate.config.max_linear == 0.2
    for name, value, why in (
        ("gate.max_linear", 0.9, "at most 0.5"), ("gate.max_linear", "fast", "float"),
        ("base_frame", "x", "may change"), ("gate.no_such", 1, "may change"),
    ):  # fmt: skip
        assert why in bench.ask(link, do="tune", node="safety", name=name, value=value)["error"]
    watching = connect(f"ws://{bench.host}/link", max_size=None).__enter__()
    watching.send(json.dumps({"key": bench.console.desk.keys.watch}))
    assert "watch" in bench.ask(watching, do="tune", node="safety", name="gate.max_linear", value=0.1)["error"]
    assert any("sets safety gate.max_linear to 0.2" in line for line in bench.told)
    assert "nobody offers planner/list_parameters" in bench.ask(link, do="parameters", node="planner")["error"]


def test_driving_by_hand_ends_when_somebody_else_sends_a_goal(bench: Bench) -> None:
    """Two who drive at once would be worse than either."""
    link = bench.link()
    bench.steer(link)
    bench.state = PlannerState.CONTROLLING

    def steer_on() -> bool:
        if not any("by hand ends" in line for line in bench.told):
            link.send('{"do": "steer", "linear": 1.0}')
            time.sleep(0.03)
            return False
        return True

    bench.ros.spin_until(steer_on, 10.0, "the end of driving by hand")


def test_two_viewers_one_robot(bench: Bench) -> None:
    first, second = bench.link(), bench.link()
    bench.steer(first)
    assert "viewer 1 has the robot" in bench.ask(second, do="goto", x=0, y=0)["error"]
    assert bench.hear(second, "state")["about"]["driver"] == 1
    assert "you have the robot" in bench.ask(second, do="take_over")["value"]
    bench.ros.spin_until(lambda: not bench.moves, 2.0, "standstill when it was taken over")
    first.send('{"do": "steer", "linear": 1.0}')
    assert "viewer 2 has the robot" in bench.hear(first, "error")["error"]
    assert not bench.moves


def test_painted_areas_are_published_and_kept(bench: Bench, tmp_path: Path) -> None:
    areas = bench.ros.collect(KeepAway, "keep_out_areas", LATCHED)
    link = bench.link()
    assert "painted" in bench.ask(link, do="keep_out", points=[[3, 3], [4, 3]], radius=0.5)["value"]
    bench.ros.spin_until(lambda: areas and len(areas[-1].x) > 1)
    assert keep_away_from_message(areas[-1])[0] == pytest.approx([3.0, 3.0, 0.5])
    assert "strokes" in (tmp_path / "keep_out.json").read_text()
    bench.ask(link, do="clear_keep_out")
    bench.ros.spin_until(lambda: len(areas[-1].x) == 0)


def test_the_last_minutes_are_saved_as_a_bag(bench: Bench, tmp_path: Path) -> None:
    link = bench.link()
    bench.words.publish(String(data="looks for the door"))
    bench.ros.node.create_publisher(MarkerArray, "places", LATCHED).publish(MarkerArray())
    bench.ros.spin_until(lambda: bench.console.node._ring.counts.get("/places"), 20.0, "places")
    bench.ros.spin_until(lambda: bench.console.scene.buffered > 1.0, 20.0, "some seconds")
    assert "being written" in bench.ask(link, do="save_bag")["value"]
    bench.ros.spin_until(lambda: any("messages are in" in line for line in bench.told), 20.0, lambda: str(bench.told))
    with open_bag(next((tmp_path / "bags").iterdir())) as bag:
        found = {connection.topic: connection for connection in bag.connections}
    assert found["/odom"].msgcount and found["/planner/decision"].msgcount == found["/places"].msgcount == 1
    extra = {name: found[name].ext for name in ("/places", "/odom")}
    durable = {
        name: [qos.durability.name for qos in ext.offered_qos_profiles]
        for name, ext in extra.items()
        if isinstance(ext, ConnectionExtRosbag2)
    }
    assert durable == {"/places": ["TRANSIENT_LOCAL"], "/odom": []}


def test_without_a_stack_each_request_is_one_line(ros: RosPeer) -> None:
    with (
        RobotConsole(ros.context, ConsoleSettings(port=0), lambda line: None) as console,
        connect(f"ws://127.0.0.1:{console.server.port}/link") as link,
    ):
        link.send(json.dumps({"key": console.desk.keys.drive}))
        for request in ("goto", "home", "explore", "stop", "release", "cancel", "pause", "name", "thumbnail"):
            fields: Any = {"goto": {"x": 0, "y": 0}, "name": {"name": "a"}}.get(request, {})
            link.send(json.dumps({"id": 1, "do": request, **fields}))
            while (message := json.loads(link.recv(timeout=10))).get("id") != 1:
                pass
            assert message["kind"] == "error" and "\n" not in message["error"], message
