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


@pytest.fixture(scope="module")
def driven(shared_stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stack that has driven until some places are known; `driven.folder` has its memories."""
    stack, stack_folder = shared_stack, tmp_path_factory.mktemp("files") / "memories"
    stack.folder, stack.locations = stack_folder, stack.ros.collect(Location, "location", RELIABLE)
    stack.add("memory", folder=str(stack_folder))
    stack.start("safety", "perception", "world_model", "planner")
    stack.drive_off()
    known = lambda: stack.locations and stack.locations[-1].localised and stack.locations[-1].place_id > 3  # noqa: E731
    stack.ros.spin_until(known, 60.0, "places")
    return stack


def call(stack: Any, service: Any, name: str, /, **fields: Any) -> Any:
    return stack.ros.call(service, f"memory/{name}", service.Request(**fields))


def test_nothing_is_written_before_the_user_names_a_file(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    places = stack.ros.collect(PlaceGraph, "place_graph", LATCHED)
    stack.add("memory")
    stack.start("perception", "safety")
    stack.ros.spin_until(lambda: places and len(places[-1].ids), what="a place")
    assert call(stack, MemoryStatistics, "statistics").persistent is False
    refused = call(stack, MemoryFile, "save", name="home")
    assert refused.error_code == MemoryFile.Response.INVALID_INPUT and "memory_file" in refused.error_msg
    assert list(tmp_path.rglob("*")) == [elsewhere]


def test_world_model_answers_what_would_happen(driven: Any) -> None:
    def predict(**fields: Any) -> Predict.Response:
        response: Predict.Response = driven.ros.call(Predict, "world_model/predict", Predict.Request(**fields))
        return response

    ahead = predict(commands=[twist_message((0.2, 0.0))] * 3, return_latents=True)
    assert ahead.success, ahead.error_msg
    first, last = ahead.rollout.poses[0].position, ahead.rollout.poses[-1].position
    assert len(ahead.rollout.poses) == len(ahead.rollout.latents) == 3
    assert math.hypot(last.x - first.x, last.y - first.y) == pytest.approx(2 * 0.6 * 0.2, abs=0.05)
    assert predict().error_code == Predict.Response.INVALID_INPUT
    wrong = predict(use_current=False, commands=[twist_message((0.2, 0.0))])
    assert wrong.error_code == Predict.Response.ENCODER_MISMATCH


def test_places_are_recalled_by_any_combination(driven: Any) -> None:
    taken = Photograph.Request(pose=Pose2D(x=1.2, y=1.2, theta=0.3))
    picture = driven.ros.call(Photograph, "loopback/photograph", taken)
    origin, end = PoseStamped(header=Header(frame_id="map"), pose=Pose()), Time(sec=2_000_000_000)
    near = {"use_pose": True, "pose": origin, "radius": 0.5}
    found = call(driven, RecallPlaces, "recall", image=picture.image, use_window=True, until=end, **near)
    assert found.success, found.error_msg
    best = found.places[0]
    assert best.id == 1 and best.similarity > 0.9 and best.distance < 0.1  # taken where the map begins
    assert all(place.distance <= 0.5 for place in found.places)
    assert [p.similarity for p in found.places] == sorted((p.similarity for p in found.places), reverse=True)
    late = call(driven, RecallPlaces, "recall", use_window=True, since=Time(sec=1_900_000_000), until=end)
    assert late.success and late.total == 0


@pytest.mark.fault("requests out of range to services and actions")
def test_nonsense_is_refused_with_a_code_and_the_service_stays_up(driven: Any) -> None:
    encoder = call(driven, RecallPlaces, "recall", with_latents=True).places[0].latent.encoder_id

    def latent(*numbers: float) -> Latent:
        return Latent(encoder_id=encoder, data=list(numbers))

    def pose(frame: str) -> PoseStamped:
        return PoseStamped(header=Header(frame_id=frame), pose=Pose())

    requests: list[dict[str, Any]] = [
        {"latent": latent(math.nan, 0.0, 0.0, 0.0)},
        {"latent": latent(1.0, 2.0)},
        {"use_pose": True, "pose": pose(""), "radius": 1.0},
        {"use_pose": True, "pose": pose("odom"), "radius": 1.0},
        {"use_pose": True, "pose": pose("map"), "radius": math.nan},
        {"max_results": 10_000_000},
        {"max_results": 0},
        {"image": CompressedImage(format="jpeg", data=b"no picture")},
        {"use_current": True, "latent": latent(1.0, 0.0, 0.0, 1.0)},
        {"use_window": True, "since": Time(sec=9), "until": Time(sec=8)},
    ]
    for request in requests:
        answer = call(driven, RecallPlaces, "recall", **request)
        assert answer.error_code == RecallPlaces.Response.INVALID_INPUT and answer.error_msg, request
        assert not answer.success
    stranger = Latent(encoder_id="other@0", data=[0.0] * 4)
    assert call(driven, RecallPlaces, "recall", latent=stranger).error_code == RecallPlaces.Response.ENCODER_MISMATCH
    assert call(driven, RecallPlaces, "recall", use_current=True).success


def test_place_can_be_labelled_found_and_forgotten(driven: Any) -> None:
    markers = driven.ros.collect(MarkerArray, "places", LATCHED)
    areas = driven.ros.collect(KeepAway, "keep_away", LATCHED)
    painted = KeepAway(header=Header(frame_id="map"), x=[1.0, 7.0], y=[0.0, 7.0], radius=[0.2, 0.5])
    driven.ros.node.create_publisher(KeepAway, "keep_out_areas", LATCHED).publish(painted)
    driven.ros.spin_until(lambda: areas and list(areas[-1].x) == [1.0, 7.0], what="what was painted")

    labelled = call(driven, RememberPlace, "remember", label="desk")
    assert labelled.success and labelled.id > 0
    driven.ros.spin_until(lambda: markers and any(m.text == "desk" for m in markers[-1].markers))
    found = call(driven, RecallPlaces, "recall", label="desk", max_results=5, with_latents=True, with_thumbnails=True)
    assert found.success and found.total == 1 and found.places[0].id == labelled.id
    assert len(found.places[0].latent.data) == 4 and len(found.places[0].thumbnail.data) > 0
    assert call(driven, RecallPlaces, "recall", use_current=True, max_results=3).places[0].similarity > 0.5

    place = NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=1)
    route = call(driven, FindRoute, "find_route", goal=place)
    assert route.success and route.places and all(len(place.latent.data) == 4 for place in route.places)
    assert abs(route.goal_pose.position.x) < 0.2 and abs(route.goal_pose.position.y) < 0.2  # the map's origin
    attic = NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label="attic")
    nowhere = call(driven, FindRoute, "find_route", goal=attic)
    assert not nowhere.success and nowhere.error_code == FindRoute.Response.NOT_FOUND and "attic" in nowhere.error_msg

    assert call(driven, ForgetPlaces, "forget", labels=["desk"]).num_forgotten == 1
    again = call(driven, ForgetPlaces, "forget", labels=["desk"], ids=[9999])
    assert not again.success and again.error_code == ForgetPlaces.Response.NOT_FOUND
    contradictory = call(driven, ForgetPlaces, "forget", all=True, ids=[1])
    assert contradictory.error_code == ForgetPlaces.Response.INVALID_INPUT


def test_memories_are_saved_merged_loaded_and_counted(driven: Any) -> None:
    graphs, codes = driven.ros.collect(PlaceGraph, "place_graph", LATCHED), MemoryFile.Response
    saved = call(driven, MemoryFile, "save", name="first")
    assert saved.success, saved.error_msg
    assert saved.size == (driven.folder / "first.memory").stat().st_size and saved.num_places > 2
    (driven.folder / "broken.memory").write_text("no database " * 500)
    for service, name, code in (
        ("save", "first", codes.FILE_EXISTS),
        *(("save", name, codes.INVALID_INPUT) for name in ("../first", "", "a/b")),
        ("load", "none", codes.NOT_FOUND),
        ("load", "first", codes.WOULD_FORGET),
        ("merge", "first", codes.NOTHING_IN_COMMON),  # too few places
        ("merge", "broken", codes.INVALID_INPUT),
    ):
        assert call(driven, MemoryFile, service, name=name).error_code == code, (service, name)
    counted = call(driven, MemoryStatistics, "statistics")
    assert counted.num_places >= saved.num_places and counted.num_ways > 0 and counted.encoder_id
    assert not counted.persistent and counted.warning == "" and counted.last.sec >= counted.first.sec
    driven.ros.spin_until(lambda: graphs and len(graphs[-1].ids) >= saved.num_places)
    assert max(graphs[-1].way_start) < len(graphs[-1].ids) and graphs[-1].header.frame_id == "map"
    loaded = call(driven, MemoryFile, "load", name="first", overwrite=True)
    assert loaded.success and loaded.num_places == saved.num_places


def test_somebody_tells_where_the_robot_is_as_rviz_does_and_all_is_forgotten(driven: Any) -> None:
    locations = driven.locations
    message = PoseWithCovarianceStamped(header=Header(frame_id="map"))
    message.pose.pose = pose_to_message([5.0, 5.0, 1.0])
    publisher = driven.ros.node.create_publisher(PoseWithCovarianceStamped, "initialpose", RELIABLE)
    beside = lambda: math.hypot(locations[-1].pose.position.x - 5, locations[-1].pose.position.y - 5) < 1  # noqa: E731
    driven.ros.spin_until(publisher.get_subscription_count, what="memory's ear")
    publisher.publish(message)
    driven.ros.spin_until(beside, what="a location beside what was said")
    said = len(locations)
    message.header.frame_id = "odom"
    publisher.publish(message)
    driven.ros.spin_until(lambda: len(locations) > said + 5, what="more locations")
    assert beside(), "another frame means nothing to it"
    assert call(driven, ForgetPlaces, "forget", all=True).success
