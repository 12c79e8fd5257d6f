"""The services of memory on a robot that has driven a little."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Pose2D, PoseStamped, PoseWithCovarianceStamped
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ami_interfaces.msg import KeepAway, Latent, Location, NavigationGoal, PlaceGraph
from ami_interfaces.srv import (
    FindRoute,
    ForgetPlaces,
    MemoryFile,
    MemoryStatistics,
    Photograph,
    Predict,
    RecallPlaces,
    RememberPlace,
)
from ami_ros.ros.messages.conversions import pose_to_message, twist_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE


def test_place_can_be_labelled_found_and_forgotten(stack: Any) -> None:
    stack.start("safety", "perception", "memory", "planner")
    locations = stack.ros.collect(Location, "location", RELIABLE)
    markers = stack.ros.collect(MarkerArray, "places", LATCHED)
    stack.drive_off()
    stack.ros.spin_until(lambda: locations and locations[-1].localised and locations[-1].place_id > 2, 60.0)

    def call(service: Any, name: str, /, **fields: Any) -> Any:
        return stack.ros.call(service, f"memory/{name}", service.Request(**fields))

    areas = stack.ros.collect(KeepAway, "keep_away", LATCHED)
    painted = KeepAway(header=Header(frame_id="map"), x=[1.0, 7.0], y=[0.0, 7.0], radius=[0.2, 0.5])
    stack.ros.node.create_publisher(KeepAway, "keep_out_areas", LATCHED).publish(painted)
    stack.ros.spin_until(lambda: areas and list(areas[-1].x) == [1.0, 7.0], what="what was painted")

    labelled = call(RememberPlace, "remember", label="desk")
    assert labelled.success and labelled.id > 0
    stack.ros.spin_until(lambda: markers and any(m.text == "desk" for m in markers[-1].markers))

    found = call(RecallPlaces, "recall", label="desk", max_results=5, with_latents=True, with_thumbnails=True)
    assert found.success and found.total == 1 and found.places[0].id == labelled.id
    assert len(found.places[0].latent.data) == 4 and len(found.places[0].thumbnail.data) > 0
    assert call(RecallPlaces, "recall", use_current=True, max_results=3).places[0].similarity > 0.5
    assert not call(RecallPlaces, "recall", max_results=0).success

    route = call(FindRoute, "find_route", goal=NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=1))
    assert route.success and route.places and all(len(place.latent.data) == 4 for place in route.places)
    assert abs(route.goal_pose.position.x) < 0.2 and abs(route.goal_pose.position.y) < 0.2  # the map's origin
    nowhere = call(FindRoute, "find_route", goal=NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label="attic"))
    assert not nowhere.success and nowhere.error_code == FindRoute.Response.NOT_FOUND and "attic" in nowhere.error_msg

    assert call(ForgetPlaces, "forget", labels=["desk"]).num_forgotten == 1
    again = call(ForgetPlaces, "forget", labels=["desk"], ids=[9999])
    assert not again.success and again.error_code == ForgetPlaces.Response.NOT_FOUND
    contradictory = call(ForgetPlaces, "forget", all=True, ids=[1])
    assert contradictory.error_code == ForgetPlaces.Response.INVALID_INPUT
    assert call(ForgetPlaces, "forget", all=True).success


def travelled(stack: Any, **memory: Any) -> Any:
    """Starts everything and waits until some places are known; returns a caller of memory's services."""
    stack.add("memory", **memory)
    stack.start("safety", "perception", "planner")
    locations = stack.ros.collect(Location, "location", RELIABLE)
    stack.drive_off()
    stack.ros.spin_until(lambda: locations and locations[-1].localised and locations[-1].place_id > 3, 60.0)

    def call(service: Any, name: str, /, **fields: Any) -> Any:
        return stack.ros.call(service, f"memory/{name}", service.Request(**fields))

    return call


def test_somebody_tells_where_the_robot_is_as_rviz_does(stack: Any) -> None:
    call = travelled(stack)
    locations = stack.ros.collect(Location, "location", RELIABLE)
    message = PoseWithCovarianceStamped(header=Header(frame_id="map"))
    message.pose.pose = pose_to_message([5.0, 5.0, 1.0])
    publisher = stack.ros.node.create_publisher(PoseWithCovarianceStamped, "initialpose", RELIABLE)
    beside = lambda: locations and math.hypot(locations[-1].pose.position.x - 5, locations[-1].pose.position.y - 5) < 1  # noqa: E731
    stack.ros.spin_until(publisher.get_subscription_count, what="memory's ear")
    publisher.publish(message)
    stack.ros.spin_until(beside, what="a location beside what was said")
    said = len(locations)
    message.header.frame_id = "odom"
    publisher.publish(message)
    stack.ros.spin_until(lambda: len(locations) > said + 5, what="more locations")
    assert beside(), "another frame means nothing to it"
    assert call(MemoryStatistics, "statistics").success


def test_places_are_recalled_by_any_combination(stack: Any) -> None:
    call = travelled(stack)
    picture = stack.ros.call(
        Photograph, "loopback/photograph", Photograph.Request(pose=Pose2D(x=1.2, y=1.2, theta=0.3))
    )
    origin = PoseStamped(header=Header(frame_id="map"), pose=Pose())
    end = Time(sec=2_000_000_000)
    found = call(
        RecallPlaces, "recall", image=picture.image, use_pose=True, pose=origin, radius=0.5, use_window=True, until=end
    )
    assert found.success, found.error_msg
    best = found.places[0]
    assert best.id == 1 and best.similarity > 0.9 and best.distance < 0.1  # taken where the map begins
    assert all(place.distance <= 0.5 for place in found.places)
    assert [p.similarity for p in found.places] == sorted((p.similarity for p in found.places), reverse=True)
    late = call(RecallPlaces, "recall", use_window=True, since=Time(sec=1_900_000_000), until=end)
    assert late.success and late.total == 0


@pytest.mark.fault("requests out of range to services and actions")
def test_nonsense_is_refused_with_a_code_and_the_service_stays_up(stack: Any) -> None:
    call = travelled(stack)
    encoder = call(RecallPlaces, "recall", with_latents=True).places[0].latent.encoder_id

    def latent(*numbers: float) -> Latent:
        return Latent(encoder_id=encoder, data=list(numbers))

    requests: list[dict[str, Any]] = [
        {"latent": latent(math.nan, 0.0, 0.0, 0.0)},
        {"latent": latent(1.0, 2.0)},
        {"use_pose": True, "pose": PoseStamped(pose=Pose()), "radius": 1.0},
        {"use_pose": True, "pose": PoseStamped(header=Header(frame_id="odom"), pose=Pose()), "radius": 1.0},
        {"use_pose": True, "pose": PoseStamped(header=Header(frame_id="map"), pose=Pose()), "radius": math.nan},
        {"max_results": 10_000_000},
        {"max_results": 0},
        {"image": CompressedImage(format="jpeg", data=b"no picture")},
        {"use_current": True, "latent": latent(1.0, 0.0, 0.0, 1.0)},
        {"use_window": True, "since": Time(sec=9), "until": Time(sec=8)},
    ]
    for request in requests:
        answer = call(RecallPlaces, "recall", **request)
        assert not answer.success and answer.error_code == RecallPlaces.Response.INVALID_INPUT, request
        assert answer.error_msg
    stranger = Latent(encoder_id="other@0", data=[0.0] * 4)
    assert call(RecallPlaces, "recall", latent=stranger).error_code == RecallPlaces.Response.ENCODER_MISMATCH
    assert call(RecallPlaces, "recall", use_current=True).success


def test_memories_are_saved_merged_loaded_and_counted(stack: Any, tmp_path: Path) -> None:
    graphs = stack.ros.collect(PlaceGraph, "place_graph", LATCHED)
    call = travelled(stack, folder=str(tmp_path / "memories"))
    saved = call(MemoryFile, "save", name="first")
    assert saved.success, saved.error_msg
    file = tmp_path / "memories" / "first.memory"
    assert saved.size == file.stat().st_size and saved.num_places > 2
    assert call(MemoryFile, "save", name="first").error_code == MemoryFile.Response.FILE_EXISTS
    for name in ("../first", "", "a/b"):
        assert call(MemoryFile, "save", name=name).error_code == MemoryFile.Response.INVALID_INPUT
    assert call(MemoryFile, "load", name="none").error_code == MemoryFile.Response.NOT_FOUND
    assert call(MemoryFile, "load", name="first").error_code == MemoryFile.Response.WOULD_FORGET
    assert call(MemoryFile, "merge", name="first").error_code == MemoryFile.Response.NOTHING_IN_COMMON  # too few places
    (tmp_path / "memories" / "broken.memory").write_text("no database " * 500)
    assert call(MemoryFile, "merge", name="broken").error_code == MemoryFile.Response.INVALID_INPUT
    counted = call(MemoryStatistics, "statistics")
    assert counted.num_places >= saved.num_places and counted.num_ways > 0 and counted.encoder_id
    assert not counted.persistent and counted.warning == ""
    stack.ros.spin_until(lambda: graphs and len(graphs[-1].ids) >= saved.num_places)
    assert max(graphs[-1].way_start) < len(graphs[-1].ids) and graphs[-1].header.frame_id == "map"
    loaded = call(MemoryFile, "load", name="first", overwrite=True)
    assert loaded.success and loaded.num_places == saved.num_places


def test_nothing_is_written_before_the_user_names_a_file(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    call = travelled(stack)
    assert call(MemoryStatistics, "statistics").persistent is False
    refused = call(MemoryFile, "save", name="home")
    assert refused.error_code == MemoryFile.Response.INVALID_INPUT and "memory_file" in refused.error_msg
    assert list(tmp_path.rglob("*")) == [elsewhere]


def test_world_model_answers_what_would_happen(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "planner")

    def predict(**fields: Any) -> Predict.Response:
        response: Predict.Response = stack.ros.call(Predict, "world_model/predict", Predict.Request(**fields))
        return response

    ahead = predict(commands=[twist_message((0.2, 0.0))] * 3, return_latents=True)
    assert ahead.success, ahead.error_msg
    steps, start = ahead.rollout.poses, pose_to_message(stack.nodes["planner"].part.percepts.odometry.pose)
    moved = ((steps[-1].position.x - start.position.x) ** 2 + (steps[-1].position.y - start.position.y) ** 2) ** 0.5
    assert len(steps) == len(ahead.rollout.latents) == 3 and abs(moved - 3 * 0.6 * 0.2) < 0.05
    assert predict().error_code == Predict.Response.INVALID_INPUT
    wrong = predict(use_current=False, commands=[twist_message((0.2, 0.0))])
    assert wrong.error_code == Predict.Response.ENCODER_MISMATCH
