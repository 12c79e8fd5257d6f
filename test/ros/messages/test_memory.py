"""Memory's values survive their messages; goals that memory cannot search are refused with its codes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from geometry_msgs.msg import Point
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from ami_interfaces.msg import KeepAway, NavigationGoal
from ami_interfaces.srv import FindRoute, MemoryFile, RememberPlace
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import (
    WAYS,
    Code,
    Edge,
    GoalQuery,
    Location,
    Place,
    Places,
    Route,
    SearchState,
    View,
    edge_values,
    key_of,
)
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages import memory as memory_messages
from ami_ros.ros.messages.conversions import seconds_to_stamp
from ami_ros.ros.messages.markers import place_markers, rollout_markers

ENCODER = "home@0123456789ab"
PLACE = Place(7, np.array([1.0, -2.0, 0.5]), np.arange(3, dtype=np.float32), "desk", "by the window", 10.0, 20.5, 4)


def test_location_survives_the_round_trip() -> None:
    location = Location(12.5, np.array([1.0, 2.0, 0.3]), np.array([-4.0, 0.0, 3.0]), 0.75, 0.5, True, 9)
    header = Header(stamp=seconds_to_stamp(12.5), frame_id="map")
    message = memory_messages.location_to_message(location, header, ENCODER)
    back = memory_messages.location_from_message(message)
    np.testing.assert_allclose(back.pose, location.pose)
    np.testing.assert_allclose(back.odometry, location.odometry)
    assert (back.stamp, back.confidence, back.localised, back.place_id) == (12.5, 0.75, True, 9)


def test_route_survives_the_round_trip() -> None:
    response = FindRoute.Response(success=True)
    memory_messages.fill_route(response, Route([PLACE, PLACE], 3.5, np.array([1.0, 1.0, 0.0]), 0.5), ENCODER, "map")
    route = memory_messages.route_from_response(response, ENCODER)
    assert isinstance(route, Route) and route.length == 3.5 and route.goal_confidence == 0.5
    place = route.places[1]
    np.testing.assert_allclose(place.pose, PLACE.pose)
    np.testing.assert_array_equal(place.latent, PLACE.latent)
    assert (place.id, place.label, place.note, place.visits, place.last_seen) == (7, "desk", "by the window", 4, 20.5)


def test_what_was_experienced_at_a_place_goes_with_its_latent() -> None:
    covariance = np.diag([0.1, 0.2, 0.3]).astype(np.float32)
    commands = np.array([[0.5, 1.0], [0.25, -1.0]], np.float32)
    place = replace(PLACE, surprise=7.0, keep_away=1.5, covariance=covariance, commands=commands)
    message = memory_messages.place_to_message(place, ENCODER, "map", with_latent=True)
    back = memory_messages.place_from_message(message, ENCODER)
    assert (back.surprise, back.keep_away) == (7.0, 1.5)
    np.testing.assert_array_equal(back.covariance, covariance)
    np.testing.assert_array_equal(back.commands, commands)
    bare = memory_messages.place_from_message(
        memory_messages.place_to_message(PLACE, ENCODER, "map", with_latent=True), ENCODER
    )
    assert bare.covariance is None and bare.commands is None
    assert len(memory_messages.place_to_message(place, ENCODER, "map", with_latent=False).commands) == 0


def test_circles_to_keep_out_of_survive_the_round_trip() -> None:
    circles = np.array([[1.0, 2.0, 0.5], [-1.0, 0.25, 2.0]])
    message = memory_messages.keep_away_to_message(circles, Header(frame_id="map"))
    np.testing.assert_array_equal(memory_messages.keep_away_from_message(message), circles)
    assert memory_messages.keep_away_from_message(KeepAway()).shape == (0, 3)
    empty = memory_messages.keep_away_to_message(np.zeros((0, 3)), Header())
    assert len(empty.x) == 0
    for broken in (KeepAway(x=[1.0]), KeepAway(x=[np.nan], y=[0.0], radius=[1.0])):
        with pytest.raises(AmiError, match="keep_away"):
            memory_messages.keep_away_from_message(broken)


def test_failed_answer_becomes_the_error_it_names_and_a_route_of_another_encoder_is_refused() -> None:
    response = FindRoute.Response(success=False, error_code=Code.NO_ROUTE, error_msg="no way")
    error = memory_messages.route_from_response(response, ENCODER)
    assert isinstance(error, AmiError) and error.code == Code.NO_ROUTE and str(error) == "no way"
    response = FindRoute.Response(success=True)
    memory_messages.fill_route(response, Route([PLACE], 0.0, np.zeros(3), 1.0), "other@0", "map")
    error = memory_messages.route_from_response(response, ENCODER)
    assert isinstance(error, AmiError) and "encoder" in str(error)


@pytest.mark.parametrize(
    "query",
    [
        GoalQuery(latent=np.ones(4, dtype=np.float32)),
        GoalQuery(pose=np.array([1.0, 2.0, 0.5])),
        GoalQuery(place_id=5),
        GoalQuery(label="desk"),
    ],
    ids=["latent", "pose", "id", "label"],
)
def test_query_survives_the_round_trip(query: GoalQuery) -> None:
    message = memory_messages.query_to_message(query, ENCODER, "map")
    back = memory_messages.query_from_message(message, ENCODER, 0, "map")
    assert (back.place_id, back.label) == (query.place_id, query.label)
    for found, wanted in ((back.latent, query.latent), (back.pose, query.pose)):
        assert (found is None) == (wanted is None)
        if wanted is not None and found is not None:
            np.testing.assert_allclose(found, wanted)


def test_a_query_of_several_pictures_survives_the_round_trip() -> None:
    views = [View(np.array([k, 1.0], np.float32), np.full(3, k, np.float32), 0.5 * k) for k in range(3)]
    query = GoalQuery(latent=views[0].latent, picture=views[0].picture, more=tuple(views[1:]))
    back = memory_messages.query_from_message(
        memory_messages.query_to_message(query, ENCODER, "map"), ENCODER, 2, "map", picture_code=3
    )
    assert [view.turn for view in back.views] == [0.0, 0.5, 1.0]
    for found, wanted in zip(back.views, views, strict=True):
        np.testing.assert_array_equal(found.latent, wanted.latent)
        assert found.picture is not None and wanted.picture is not None
        np.testing.assert_array_equal(found.picture, wanted.picture)


def test_goal_that_memory_cannot_search_is_refused() -> None:
    wrong_frame = NavigationGoal(type=NavigationGoal.TYPE_POSE)
    wrong_frame.pose.header.frame_id = "odom"
    picture = NavigationGoal(type=NavigationGoal.TYPE_IMAGE)
    nameless = NavigationGoal(type=NavigationGoal.TYPE_PLACE)
    for goal in (wrong_frame, picture, nameless):
        with pytest.raises(AmiError) as caught:
            memory_messages.query_from_message(goal, ENCODER, 0, "map")
        assert caught.value.code == Code.INVALID_INPUT


def test_how_far_a_search_has_come_survives_the_round_trip() -> None:
    def there_and_back(search: SearchState) -> SearchState:
        request = RouteRequest(GoalQuery(label="dock", search=search))
        return memory_messages.search_from_message(memory_messages.request_to_message(request, ENCODER, "map"))

    begun = there_and_back(SearchState())
    assert begun.reach == 0.0 and begun.looked_from.shape == (0, 2)
    again = there_and_back(search := SearchState(np.array([[1.0, -2.0], [3.5, 0.25]]), 4.5))
    assert again.reach == 4.5 and there_and_back(SearchState(reach=np.inf)).reach == np.inf
    np.testing.assert_array_equal(again.looked_from, search.looked_from)
    long = SearchState(np.arange(2.0 * (1000 + 5)).reshape(-1, 2))
    newest = there_and_back(long).looked_from
    np.testing.assert_array_equal(newest, long.looked_from[-1000:])


def test_a_search_that_was_nowhere_is_refused() -> None:
    for broken in (
        FindRoute.Request(looked_from=[Point(), Point(y=math.inf)]),
        FindRoute.Request(looked_from=[Point(y=1e200)]),
        FindRoute.Request(reach=math.nan),
        FindRoute.Request(reach=-1.0),
    ):
        with pytest.raises(AmiError, match="memory: ") as refusal:
            memory_messages.search_from_message(broken)
        assert refusal.value.code == Code.INVALID_INPUT


def test_edges_come_in_pairs() -> None:
    assert memory_messages.edges_from_message([1, 2, 3, 4]) == [(1, 2), (3, 4)]
    with pytest.raises(AmiError, match="pairs"):
        memory_messages.edges_from_message([1, 2, 3])
    with pytest.raises(AmiError, match="no place can have"):
        memory_messages.edges_from_message([2**64 - 1, 1])


def test_codes_are_those_of_the_service() -> None:
    error = AmiError("lost", Code.NOT_LOCALISED)
    assert memory_messages.service_code(RememberPlace.Response, error) == RememberPlace.Response.NOT_LOCALISED
    assert memory_messages.service_code(FindRoute.Response, error) == FindRoute.Response.NOT_LOCALISED
    assert memory_messages.service_code(RememberPlace.Response, AmiError("?")) == RememberPlace.Response.UNKNOWN
    no_such = AmiError("no way", Code.NO_ROUTE)
    assert memory_messages.service_code(RememberPlace.Response, no_such) == RememberPlace.Response.UNKNOWN


def test_markers_show_places_ways_and_labels() -> None:
    poses = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
    places = Places(np.array([5, 2, 9]), poses, {2: "desk"}, np.array([[5, 2], [2, 9]]))
    clear, dots, ways, label = place_markers(places, Header(frame_id="map")).markers
    assert clear.action == Marker.DELETEALL and label.text == "desk" and label.pose.position.x == 1.0
    assert [(p.x, p.y) for p in dots.points] == [(0, 0), (1, 0), (1, 2)]
    assert [(p.x, p.y) for p in ways.points] == [(0, 0), (1, 0), (1, 0), (1, 2)]


def test_labels_of_other_robots_places_have_markers_of_their_own() -> None:
    foreign = (key_of("amr2") << 32) + 5
    places = Places(np.array([5, foreign]), np.zeros((2, 3)), {5: "desk", foreign: "dock"})
    empty = Places(np.zeros(0, np.int64), np.zeros((0, 3)))
    assert len(place_markers(empty, Header(frame_id="map")).markers) == 3
    *_, desk, dock = place_markers(places, Header(frame_id="map")).markers
    assert desk.id != dock.id and max(desk.id, dock.id) < 1 << 31
    assert deserialize_message(serialize_message(dock), Marker) == dock


def test_the_graph_holds_what_was_driven_and_how_it_went() -> None:
    poses = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [1.0, 2.0, 1.0]])
    places = Places(np.array([5, 2, 9]), poses)
    step = np.zeros(3)
    edges = [Edge(5, 2, step, 3, 1.5, 0, 7.0), Edge(2, 9, step, 1, 2.0, 2, 8.0), Edge(5, 9, step, 0, 0.0, 1, 9.0)]
    ways = np.array([edge_values(edge) for edge in edges], WAYS)
    message = memory_messages.graph_to_message(places, ways, Header(frame_id="map"), ENCODER)
    assert (message.header.frame_id, message.encoder_id) == ("map", ENCODER)
    assert list(message.ids) == [5, 2, 9] and list(message.yaw) == [0.0, 0.5, 1.0]
    assert (list(message.way_start), list(message.way_stop)) == ([0, 1], [1, 2])
    assert (list(message.way_traversals), list(message.way_failures)) == ([3, 1], [0, 2])
    assert list(message.way_duration) == [1.5, 2.0]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_memory_has_its_number_in_some_service(code: Code) -> None:
    services = (FindRoute, RememberPlace, MemoryFile)
    assert any(getattr(s.Response, code.name, None) == code for s in services)


def test_a_rollout_grows_faint_with_time_and_other_futures_are_lines() -> None:
    others = np.arange(2 * 4 * 3.0).reshape(2, 4, 3)
    _, lines, *arrows = rollout_markers(np.zeros((4, 3)), others, Header(frame_id="odom")).markers
    assert [m.id for m in arrows] == [0, 1, 2, 3] and arrows[0].color.a > arrows[3].color.a > 0
    assert [(p.x, p.y) for p in lines.points[:4]] == [(0, 1), (3, 4), (3, 4), (6, 7)] and len(lines.points) == 2 * 3 * 2
