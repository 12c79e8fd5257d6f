"""Ways between places: shortest paths, what blocks them, and what is joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, relative
from ami_ros.memory.graph import GraphConfig, PlaceGraph, enters
from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.types import Edge
from harness.exact_model import ExactModel, latent_of

# A ring of eight places, one metre apart: 1 2 3 along the bottom, 3 4 5 up, 5 6 7 back, 7 8 1 down.
RING = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


def graph_of(model: ExactModel, places: Sequence[tuple[float, ...]], ways: Sequence[tuple[int, int]]) -> PlaceGraph:
    """Places numbered from 1 on, looking east unless they have a yaw, and ways driven between them."""
    poses = np.array([(*p, 0.0)[:3] for p in places], dtype=np.float64)
    index = PlaceIndex(model)
    index.extend(np.arange(len(poses)) + 1, latent_of(poses), poses)
    graph = PlaceGraph(index, GraphConfig())
    for a, b in ways:
        drive(graph, a, b)
    return graph


def drive(graph: PlaceGraph, start: int, stop: int, duration: float = 2.0, stamp: float = 5.0) -> Edge:
    rows = [graph.index.row(start), graph.index.row(stop)]
    return graph.traversed(start, stop, relative(*graph.index.poses[rows]), duration, stamp)


def ring(model: ExactModel) -> PlaceGraph:
    return graph_of(model, RING, [(k, k % 8 + 1) for k in range(1, 9)])


def pose(x: float, y: float) -> Array:
    return np.array([x, y, 0.0])


def path(graph: PlaceGraph, start: Array, goal: Array, avoid: Sequence[tuple[int, int]] = ()) -> list[int] | None:
    found = graph.shortest_path(start, goal, avoid)
    return found[0] if found else None


def test_the_shortest_way_is_found_and_measured(model: ExactModel) -> None:
    found = ring(model).shortest_path(pose(0, 0), pose(2, 1))
    assert found is not None and found[0] == [1, 2, 3, 4]
    assert 3.0 <= found[1] < 3.3


def test_ways_may_be_driven_back_but_forth_is_preferred(model: ExactModel) -> None:
    graph = ring(model)
    assert path(graph, pose(2, 1), pose(0, 0)) in ([4, 3, 2, 1], [4, 5, 6, 7, 8, 1])
    assert path(graph, pose(2, 0), pose(0, 0)) == [3, 2, 1]
    # Halfway round, both ways are equally long: the one that was driven in this direction wins.
    assert path(graph, pose(2, 2), pose(0, 0)) == [5, 6, 7, 8, 1]
    assert path(graph, pose(0, 0), pose(2, 2)) == [1, 2, 3, 4, 5]


def test_a_blocked_way_is_avoided_in_both_directions(model: ExactModel) -> None:
    graph = ring(model)
    for avoid in ((2, 3), (3, 2)):
        assert path(graph, pose(0, 0), pose(2, 1), [avoid]) == [1, 8, 7, 6, 5, 4]
        assert path(graph, pose(2, 1), pose(0, 0), [avoid]) == [4, 5, 6, 7, 8, 1]
    assert path(graph, pose(0, 0), pose(2, 1), [(2, 3), (6, 7)]) is None
    assert path(graph, pose(0, 0), pose(2, 1)) == [1, 2, 3, 4]  # nothing is remembered of it


def test_avoiding_places_that_are_gone_is_no_error(model: ExactModel) -> None:
    assert path(ring(model), pose(0, 0), pose(2, 0), [(77, 78)]) == [1, 2, 3]


def test_a_way_that_failed_costs_until_it_was_driven_again(model: ExactModel) -> None:
    graph = ring(model)
    edge = graph.edges[2, 3]
    graph.add(Edge(2, 3, edge.relative, 1, 2.0, failures=2))
    assert path(graph, pose(0, 0), pose(2, 1)) == [1, 8, 7, 6, 5, 4]
    drive(graph, 2, 3)
    assert drive(graph, 2, 3).failures == 0
    assert path(graph, pose(0, 0), pose(2, 1)) == [1, 2, 3, 4]


def test_a_way_that_failed_is_taken_again_after_a_while(model: ExactModel) -> None:
    graph = ring(model)
    round_about, straight = [1, 8, 7, 6, 5, 4], [1, 2, 3, 4]
    for stamp in (60.0, 100.0):
        assert graph.failed(2, 3, stamp) is not None

    def way(now: float) -> list[int]:
        found = graph.shortest_path(pose(0, 0), pose(2, 1), now=now)
        assert found is not None
        return found[0]

    assert way(100.0) == way(400.0) == round_about
    assert way(100.0 + 2 * graph.config.forgiveness) == straight
    assert way(10.0) == straight  # the clock began anew: that was another day


def test_a_way_that_fails_again_and_again_is_avoided_for_longer(model: ExactModel) -> None:
    graph = ring(model)
    for k in range(5):
        assert graph.failed(2, 3, stamp=100.0 * k) is not None
    assert graph.edges[2, 3].failures == 5
    found = graph.shortest_path(pose(0, 0), pose(2, 1), now=400.0 + 2 * graph.config.forgiveness)
    assert found is not None and found[0] == [1, 8, 7, 6, 5, 4]


def test_the_same_failure_counts_once_and_in_either_direction(model: ExactModel) -> None:
    graph = ring(model)
    failed = graph.failed(3, 2, stamp=100.0)
    assert failed is not None and (failed.start, failed.stop, failed.failures) == (2, 3, 1)
    assert graph.failed(2, 3, stamp=105.0) is None and graph.failed(77, 2, stamp=200.0) is None
    assert graph.edges[2, 3].failures == 1 and (3, 2) not in graph.edges


def test_what_runs_beside_a_failed_way_is_avoided_too_even_if_it_was_never_driven(model: ExactModel) -> None:
    graph = ring(model)
    graph.index.extend(
        np.array([9, 10]), latent_of(np.array([[1, 0.1, 0], [2, 0.1, 0]])), np.array([[1, 0.1, 0], [2, 0.1, 0]])
    )
    graph.changed()
    drive(graph, 9, 10)
    graph.failed(2, 10, stamp=6.0)
    edge = graph.failed(2, 10, stamp=60.0)
    assert edge is not None and (edge.traversals, edge.failures) == (0, 2)
    found = graph.shortest_path(pose(0, 0), pose(2, 1), now=60.0)
    assert found is not None and found[0] == [1, 8, 7, 6, 5, 4]
    assert [1, 9] not in graph.connections().tolist()  # a way tried in vain is none
    assert drive(graph, 2, 10).traversals == 1 and graph.edges[2, 10].failures == 1


def test_a_closed_door_blocks_every_way_through_it_and_none_beside_it(model: ExactModel) -> None:
    # Three ways go east through a door at x = 0.5, of which y = 0 was found blocked; one goes along the wall before it.
    lanes = [(0.0, y) for y in (-0.4, 0.0, 0.4, 1.4)], [(1.0, y) for y in (-0.4, 0.0, 0.4, 1.4)]
    graph = graph_of(model, [*lanes[0], *lanes[1]], [(1, 5), (2, 6), (3, 7), (4, 8), (1, 2), (2, 3), (3, 4)])
    blocked = [(2, 6)]
    assert path(graph, pose(0, 0), pose(1, 0)) == [2, 6]
    assert path(graph, pose(0, 0), pose(1.0, -0.4), blocked) is None
    assert path(graph, pose(0, 0), pose(1.0, 0.4), blocked) is None
    assert path(graph, pose(0, -0.4), pose(1.0, 1.4), blocked) == [2, 3, 4, 8]


def test_driving_a_way_again_averages_its_duration(model: ExactModel) -> None:
    graph = graph_of(model, RING, [])
    assert drive(graph, 1, 2, duration=2.0, stamp=10.0).traversals == 1
    edge = drive(graph, 1, 2, duration=4.0, stamp=20.0)
    assert (edge.traversals, edge.duration, edge.last_used) == (2, pytest.approx(3.0), 20.0)
    np.testing.assert_allclose(edge.relative, [1.0, 0.0, 0.0])
    assert set(graph.edges) == {(1, 2)}


def test_places_on_one_spot_are_joined_and_places_apart_are_not(model: ExactModel) -> None:
    graph = graph_of(model, [(0, 0), (1, 0), (1.05, 0.1, 1.5), (1.05, 1.1, 1.5), (2.5, 0)], [(1, 2), (3, 4)])
    assert path(graph, pose(0, 0), np.array([1.05, 1.1, 1.5])) == [1, 2, 3, 4]
    assert path(graph, pose(0, 0), pose(2.5, 0)) is None


def test_connections_are_what_was_driven_and_what_stands_on_one_spot(model: ExactModel) -> None:
    graph = graph_of(model, [(0, 0), (1, 0), (1.05, 0.1, 1.5)], [(1, 2)])
    assert graph.connections().tolist() == [[0, 1], [1, 2]]
    assert graph_of(model, RING[:1], []).connections().shape == (0, 2)


def test_a_way_keeps_out_of_a_circle_but_leads_out_of_it(model: ExactModel) -> None:
    graph = ring(model)
    graph.index.column("keep_away")[graph.index.row(2)] = 0.9
    graph.changed()
    np.testing.assert_allclose(graph.keep_away(), [[1.0, 0.0, 0.9]])
    assert path(graph, pose(0, 0), pose(2, 0)) == [1, 8, 7, 6, 5, 4, 3]
    assert path(graph, pose(0, 0), pose(1, 0)) is None  # its middle is no goal
    assert path(graph, pose(1, 0), pose(2, 1)) == [2, 3, 4]  # who is in there gets out


def test_only_ways_that_come_nearer_enter_a_circle() -> None:
    starts = np.array([[-2.0, 0.0], [-2.0, 0.9], [-2.0, 2.0], [0.2, 0.0], [0.2, 0.0], [-2.0, 0.0]])
    stops = np.array([[2.0, 0.0], [2.0, 0.9], [2.0, 2.0], [2.0, 0.0], [-0.5, 0.0], [-1.5, 0.0]])
    circle = np.array([0.0, 0.0, 1.0])
    assert enters(starts, stops, circle).tolist() == [True, True, False, False, True, False]


def test_a_pose_far_from_every_place_has_no_way(model: ExactModel) -> None:
    graph = ring(model)
    assert path(graph, pose(0, 0), pose(9, 9)) is None
    assert path(graph, pose(9, 9), pose(0, 0)) is None
    assert path(graph_of(model, RING[:1], []), pose(0, 0), pose(0, 0)) == [1]
    assert path(PlaceGraph(PlaceIndex(model), GraphConfig()), pose(0, 0), pose(0, 0)) is None


def test_forgotten_places_take_their_ways_with_them(model: ExactModel) -> None:
    graph = ring(model)
    assert path(graph, pose(0, 0), pose(2, 1)) == [1, 2, 3, 4]
    graph.index.remove({2})
    graph.drop({2})
    assert all(2 not in way for way in graph.edges) and len(graph.edges) == 6
    assert path(graph, pose(0, 0), pose(2, 1)) == [1, 8, 7, 6, 5, 4]


def test_a_place_that_was_added_later_is_reached(model: ExactModel) -> None:
    graph = ring(model)
    assert path(graph, pose(0, 0), pose(3, 0)) is None
    graph.index.extend(np.array([20, 21]), latent_of([[3.0, 0, 0], [3.2, 0, 0]]), np.array([[3.0, 0, 0], [3.2, 0, 0]]))
    graph.added()
    drive(graph, 3, 20)
    assert path(graph, pose(0, 0), pose(3, 0)) == [1, 2, 3, 20]
    assert graph.connections()[9:].tolist() == [[8, 9]]  # rows of 20 and 21, which nobody drove between
    graph.changed()
    assert graph.connections()[9:].tolist() == [[8, 9]]


def test_a_map_that_grew_between_searches_leads_as_one_that_was_made_at_once(model: ExactModel) -> None:
    rng = np.random.default_rng(5)
    poses = np.column_stack([rng.uniform(0.0, 3.0, (40, 2)), np.zeros(40)])
    graph = graph_of(model, poses[:2].tolist(), [(1, 2)])
    for k in range(2, len(poses)):
        graph.index.extend(np.array([k + 1]), latent_of(poses[k : k + 1]), poses[k : k + 1])
        graph.added()
        start, stop = (int(i) for i in rng.choice(k + 1, 2, replace=False) + 1)
        if k % 5 == 0:
            graph.failed(start, stop, 5.0)  # nobody has driven there yet ...
            graph.connections()
        drive(graph, start, stop)  # ... but now
        graph.distances(poses[0])
        if k % 7 == 0:
            graph.cut(start, stop)
    again = PlaceGraph(graph.index, GraphConfig())
    again.take(graph.edges.columns)
    assert sorted(graph.connections().tolist()) == sorted(again.connections().tolist())
    np.testing.assert_allclose(graph.distances(poses[0]), again.distances(poses[0]))


def test_a_way_ends_off_the_map_only_where_a_place_saw_that_it_is_free(model: ExactModel) -> None:
    graph = graph_of(model, [(0, 0), (1, 0), (2, 0)], [(1, 2), (2, 3)])
    goal = pose(2.5, 1.5)
    assert path(graph, pose(0, 0), goal) is None
    asked: list[int] = []

    class FromTheSecond:
        def to(self, place_id: int, point: Array) -> bool:
            asked.append(place_id)
            return place_id == 2 and bool(np.allclose(point, goal[:2]))

        def beyond(self, rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
            return np.zeros((0, 2)), rows[:0]

    graph.free = FromTheSecond()
    assert path(graph, pose(0, 0), goal) == [1, 2]
    assert set(asked) == {2, 3}  # not from farther off than it sees
    assert graph.lengths(pose(0, 0), np.stack([goal, pose(9, 9)])).tolist() == pytest.approx(
        [1.0 + np.hypot(1.5, 1.5), np.inf], abs=0.01
    )
    asked.clear()
    assert path(graph, pose(0, 0), pose(2, 0)) == [1, 2, 3] and not asked  # a place in reach needs no sight


def test_turning_counts_as_a_cost(model: ExactModel) -> None:
    """Of two ways of one length the one that keeps the heading is taken."""
    graph = graph_of(model, [(0, 0), (1, 0.4), (1, -0.4, 2.0), (2, 0)], [(1, 2), (2, 4), (1, 3), (3, 4)])
    assert path(graph, pose(0, 0), pose(2, 0)) == [1, 2, 4]
