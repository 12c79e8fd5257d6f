"""Requests that make no sense, sent to the real nodes: each gets an answer with a code, and every node serves on."""

from __future__ import annotations

import math
from typing import Any

from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Twist, Vector3
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import Latent, NavigationGoal
from ami_interfaces.srv import (
    FindRoute,
    ForgetPlaces,
    MemoryFile,
    MemoryStatistics,
    Predict,
    RecallPlaces,
    RememberPlace,
)

LARGEST = 2**64 - 1
ENCODER = "exact@000000000000"


def latent(*numbers: float, picture: tuple[float, ...] = ()) -> Latent:
    return Latent(encoder_id=ENCODER, data=list(numbers), picture=list(picture))


def pose(x: float = 0.0, y: float = 0.0, w: float = 1.0, frame: str = "map") -> PoseStamped:
    return PoseStamped(header=Header(frame_id=frame), pose=Pose(position=Point(x=x, y=y), orientation=Quaternion(w=w)))


GOALS = {
    "no type": NavigationGoal(type=0),
    "unknown type": NavigationGoal(type=255),
    "no place": NavigationGoal(type=NavigationGoal.TYPE_PLACE),
    "no such place": NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=LARGEST),
    "no such label": NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label="\n\u202e"),
    "short latent": NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latent(1.0, 2.0, 3.0)),
    "long latent": NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latent(*[0.5] * 10_000)),
    "latent with NaN": NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latent(math.nan, 0.0, 0.0, 0.0)),
    "empty latent": NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latent()),
    "another encoder's": NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=Latent(data=[0.0] * 4)),
    "infinite pose": NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose(math.inf)),
    "pose too far away": NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose(1e300)),
    "no orientation": NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose(w=0.0)),
    "unknown frame": NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose(frame="")),
    "no picture": NavigationGoal(type=NavigationGoal.TYPE_IMAGE),
    "a picture that is none": NavigationGoal(
        type=NavigationGoal.TYPE_IMAGE, image=CompressedImage(format="png", data=b"\x89PNG\r\n\x1a\n" + b"\xff" * 100)
    ),
}
WITHOUT_MEMORY = {"no such place", "no such label"}  # accepted, and given up as memory does not know them


def test_every_nonsense_gets_an_answer_with_a_code_and_all_nodes_serve_on(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "memory", "planner")
    twist = Twist(linear=Vector3(x=math.nan))
    requests: list[tuple[Any, str, dict[str, Any]]] = [
        (FindRoute, "memory/find_route", {"goal": goal}) for goal in GOALS.values()
    ]
    known = NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=1)
    requests += [
        (FindRoute, "memory/find_route", {"goal": known, "avoid_edges": [LARGEST, 1]}),
        (FindRoute, "memory/find_route", {"goal": known, "avoid_edges": [1, 2, 3]}),
        (FindRoute, "memory/find_route", {"goal": known, "reach": math.nan}),
        (FindRoute, "memory/find_route", {"goal": known, "looked_from": [Point(y=math.inf), Point()]}),
        (Predict, "world_model/predict", {"use_current": False, "start": latent(1.0, 2.0, 3.0), "commands": [Twist()]}),
        (Predict, "world_model/predict", {"use_current": False, "start": latent(), "commands": [Twist()]}),
        (Predict, "world_model/predict", {"use_current": True, "commands": []}),
        (Predict, "world_model/predict", {"use_current": True, "commands": [twist]}),
        (ForgetPlaces, "memory/forget", {"ids": [LARGEST]}),
        (ForgetPlaces, "memory/forget", {"labels": [""]}),
        (RememberPlace, "memory/remember", {"place_id": LARGEST, "label": "x"}),
        (RememberPlace, "memory/remember", {"label": "x", "keep_away": math.nan}),
        (RememberPlace, "memory/remember", {"label": "x", "keep_away": -1.0}),
        (RecallPlaces, "memory/recall", {"latent": latent(*[1.0] * 999)}),
        (RecallPlaces, "memory/recall", {"use_pose": True, "pose": pose(1e300), "radius": 1.0}),
        (RecallPlaces, "memory/recall", {"min_surprise": math.nan}),
        (MemoryFile, "memory/save", {"name": "../../etc/passwd"}),
        (MemoryFile, "memory/load", {"name": "."}),
        (MemoryFile, "memory/merge", {"name": ""}),
    ]
    stack.ros.spin_until(
        lambda: stack.ros.call(MemoryStatistics, "memory/statistics", MemoryStatistics.Request()).num_places
    )
    for service, name, fields in requests:
        answer = stack.ros.call(service, name, service.Request(**fields))
        assert not answer.success, (name, fields)
        assert answer.error_code and answer.error_code != service.Response.UNKNOWN, (name, fields, answer.error_msg)
        assert answer.error_msg and "\n" not in answer.error_msg, (name, fields)
    good = latent(1.0, 0.0, 0.0, 1.0)
    answer = stack.ros.call(
        Predict, "world_model/predict", Predict.Request(use_current=False, start=good, commands=[Twist()])
    )
    assert answer.success, answer.error_msg
    for name, goal in GOALS.items():
        assert stack.send(NavigateToGoal.Goal(goal=goal)).accepted == (name in WITHOUT_MEMORY), name
    for limits in ({"distance_tolerance": math.nan}, {"max_linear_speed": -1.0}, {"angle_tolerance": math.inf}):
        assert not stack.send(NavigateToGoal.Goal(goal=GOALS["no such place"], **limits)).accepted
    assert stack.drive_off().accepted
