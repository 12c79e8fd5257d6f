"""What memory answers and does when asked: routes, recall, remember, forget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, GoalQuery, PlaceQuery, PlaceRow
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER, Opener, Walker, pose_error


@pytest.fixture
def walker(open_memory: Opener) -> Walker:
    """A robot that went round a square of 2 m and stands at its beginning."""
    walker = Walker(open_memory())
    walker.look(b"first")
    walker.loop()
    return walker


@pytest.fixture
def memory(walker: Walker) -> PlaceMemory:
    return walker.memory


def assert_code(code: Code, error: pytest.ExceptionInfo[AmiError]) -> None:
    assert error.value.code == code and "\n" not in str(error.value)


# Routes


def test_a_route_leads_from_the_robot_to_where_the_picture_was_taken(memory: PlaceMemory) -> None:
    goal = np.array([2.0, 1.0, np.pi / 2])
    route = memory.find_route(GoalQuery(latent=latent_of(goal)))
    assert pose_error(route.goal_pose, goal) < 0.25 and route.goal_confidence > 0.5
    first, last = route.places[0].pose, route.places[-1].pose
    assert np.hypot(*first[:2]) < 0.7 and np.hypot(*(last - goal)[:2]) < 0.7
    steps = np.hypot(*np.diff([p.pose[:2] for p in route.places], axis=0).T)
    assert steps.max() < 0.7 and 2.0 < route.length < 4.5


@pytest.mark.parametrize("by", ["pose", "place", "label"])
def test_a_goal_may_be_a_pose_a_place_or_a_label(walker: Walker, by: str) -> None:
    memory = walker.memory
    walker.drive(2.0)
    place = memory.remember("corner")
    walker.drive(-2.0)
    pose = memory.map.details[place].pose
    query = {"pose": GoalQuery(pose=pose), "place": GoalQuery(place_id=place), "label": GoalQuery(label="corner")}
    route = memory.find_route(query[by])
    np.testing.assert_allclose(route.goal_pose, pose)
    assert route.goal_confidence == 1.0 and np.hypot(*(route.places[-1].pose - pose)[:2]) < 0.6


def test_ways_that_were_found_blocked_are_avoided(memory: PlaceMemory) -> None:
    goal = GoalQuery(latent=latent_of([2.0, 0.5, np.pi / 2]))
    short = memory.find_route(goal)
    blocked = [(a.id, b.id) for a, b in zip(short.places[1:-1], short.places[2:], strict=True)][1:2]
    long = memory.find_route(goal, avoid_edges=blocked)
    assert long.length > short.length + 1.0


def test_a_goal_that_could_be_two_places_has_two_hypotheses(path: Path, open_memory: Opener) -> None:
    """A corridor from which two rooms lead off that look alike."""
    poses = np.array([[0.25 * k, 0.0, 0.0] for k in range(25)])
    seen = poses.copy()
    seen[:4, 1] = 9.0  # where the robot is looks like nothing else
    seen[14:22, 0] -= 2.5  # places 15 to 22 look like 5 to 12
    store = Store(path, ENCODER, 4)
    store.put_places(PlaceRow(k + 1, latent_of(seen[k]), poses[k], 0.0, 0.0, 1) for k in range(25))
    store.put_edges(Edge(k, k + 1, np.array([0.25, 0.0, 0.0]), 1, 1.0, 0, 0.0) for k in range(1, 25))
    store.close()
    memory = open_memory(path, MemoryConfig(learning=False))
    for k in range(10):
        memory.observe(0.2 * k, latent_of([0.06 * k, 9.0, 0.0]), np.array([0.06 * k, 0.0, 0.0]))
    goal = GoalQuery(latent=latent_of([1.75, 0.0, 0.0]))
    routes = [memory.find_route(goal, hypothesis) for hypothesis in (0, 1)]
    assert sorted(round(float(r.goal_pose[0]), 1) for r in routes) == [1.8, 4.2]
    assert all(0.3 < r.goal_confidence < 0.7 for r in routes)
    with pytest.raises(AmiError, match="hypotheses") as error:
        memory.find_route(goal, 5)
    assert_code(Code.NOT_FOUND, error)


def test_routes_need_to_know_where_the_robot_is(open_memory: Opener, walker: Walker) -> None:
    with pytest.raises(AmiError) as error:
        open_memory().find_route(GoalQuery(latent=latent_of([0.0, 0.0, 0.0])))
    assert_code(Code.NOT_LOCALISED, error)
    walker.memory.restart()
    walker.look()
    with pytest.raises(AmiError) as error:
        walker.memory.find_route(GoalQuery(latent=latent_of([0.0, 0.0, 0.0])))
    assert_code(Code.NOT_LOCALISED, error)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (GoalQuery(place_id=999), Code.NOT_FOUND),
        (GoalQuery(label="nowhere"), Code.NOT_FOUND),
        (GoalQuery(), Code.NOT_FOUND),
        (GoalQuery(pose=np.array([50.0, 50.0, 0.0])), Code.NO_ROUTE),
        (GoalQuery(pose=np.array([np.nan, 0.0, 0.0])), Code.INVALID_INPUT),
        (GoalQuery(pose=np.zeros(2)), Code.INVALID_INPUT),
        (GoalQuery(latent=np.full(4, np.inf, np.float32)), Code.INVALID_INPUT),
        (GoalQuery(latent=np.zeros(7, np.float32)), Code.INVALID_INPUT),
    ],
)
def test_goals_that_cannot_be_are_refused_with_their_code(memory: PlaceMemory, query: GoalQuery, code: Code) -> None:
    with pytest.raises(AmiError) as error:
        memory.find_route(query)
    assert_code(code, error)


# Recall


def test_recall_ranks_by_similarity_then_distance_then_time(walker: Walker) -> None:
    memory = walker.memory
    there = np.array([2.0, 1.0, np.pi / 2])
    similar = memory.recall(PlaceQuery(latent=latent_of(there), max_results=5))
    scores = [p.similarity for p in similar]
    assert len(similar) == 5 and scores == sorted(scores, reverse=True) and scores[0] > 0.5
    assert pose_error(similar[0].pose, there) < 0.6
    near = memory.recall(PlaceQuery(pose=there, radius=0.8, max_results=50))
    distances = [p.distance for p in near]
    assert near and distances == sorted(distances) and distances[-1] <= 0.8
    times = [p.last_seen for p in memory.recall(PlaceQuery(max_results=1000))]
    assert len(times) == len(memory) and times == sorted(times, reverse=True)


def test_all_conditions_of_a_recall_must_hold(memory: PlaceMemory) -> None:
    memory.remember("start")
    assert len(memory.recall(PlaceQuery(label="start", pose=np.zeros(3), radius=1.0))) == 1
    assert memory.recall(PlaceQuery(label="start", pose=np.array([2.0, 2.0, 0.0]), radius=1.0)) == []
    assert memory.recall(PlaceQuery(label="stop")) == []


def test_places_are_recalled_by_the_time_of_their_passing_and_by_the_drive_that_found_them(walker: Walker) -> None:
    memory = walker.memory
    everything = memory.recall(PlaceQuery(max_results=1000))
    assert {p.episode for p in everything} == {1}
    middle = (everything[0].last_seen + everything[-1].last_seen) / 2
    late, early = memory.recall(PlaceQuery(since=middle)), memory.recall(PlaceQuery(until=middle))
    assert late and early and all(p.last_seen >= middle for p in late) and all(p.created <= middle for p in early)
    memory.restart()
    walker.pose, walker.odometry = np.zeros(3), np.array([1.0, 1.0, 1.0])
    walker.drive(1.0)
    walker.drive(0.0, -np.pi / 2)
    walker.drive(1.5)
    second = memory.recall(PlaceQuery(episode=2, max_results=1000))
    assert second and {p.episode for p in second} == {2}
    assert len(memory.recall(PlaceQuery(episode=1, max_results=1000))) == len(everything)
    likest = memory.recall(PlaceQuery(episode=2, latent=second[0].latent, max_results=1))
    assert [p.id for p in likest] == [second[0].id]


def test_conditions_are_exact_in_a_memory_too_large_to_compare_all(path: Path, model: ExactModel) -> None:
    rng = np.random.default_rng(0)
    poses = rng.uniform([0.0, 0.0, -3.0], [30.0, 30.0, 3.0], (21_000, 3))
    latents, times = latent_of(poses), rng.uniform(0.0, 1000.0, 21_000)
    store = Store(path, ENCODER, 4)
    store.put_places(
        PlaceRow(k + 1, latents[k], poses[k], times[k], times[k], 1, episode=k % 20) for k in range(len(poses))
    )
    store.close()
    memory = PlaceMemory(model, ENCODER, path, MemoryConfig())
    scores = memory.map.index.scores(latents[5])
    here = np.hypot(*(poses[:, :2] - poses[5, :2]).T) <= 3.0
    queries = {
        "time": (PlaceQuery(since=200.0, until=250.0), (times >= 200.0) & (times <= 250.0)),
        "episode": (PlaceQuery(episode=7), np.arange(len(poses)) % 20 == 7),
        "radius": (PlaceQuery(pose=poses[5], radius=3.0), here),
    }
    for query, fits in queries.values():
        found = memory.recall(replace(query, latent=latents[5], max_results=10))
        expected = np.flatnonzero(fits)[np.argsort(-scores[fits])[:10]] + 1
        np.testing.assert_allclose([p.similarity for p in found], scores[expected - 1], atol=1e-5)
    best = memory.recall(PlaceQuery(latent=latents[5], max_results=5))
    assert best[0].id == 6
    memory.close()


def test_thumbnails_come_only_when_asked_for(memory: PlaceMemory) -> None:
    query = PlaceQuery(latent=latent_of([0.0, 0.0, 0.0]), max_results=3)
    assert {p.thumbnail for p in memory.recall(query)} == {b""}
    assert b"first" in {p.thumbnail for p in memory.recall(replace(query, with_thumbnails=True))}


def test_an_empty_memory_recalls_nothing(open_memory: Opener) -> None:
    memory = open_memory()
    assert memory.recall(PlaceQuery(label="a")) == memory.recall(PlaceQuery(latent=latent_of([0.0, 0.0, 0.0]))) == []


@pytest.mark.parametrize(
    "query",
    [
        PlaceQuery(max_results=0),
        PlaceQuery(max_results=10_000_000),
        PlaceQuery(since=5.0, until=4.0),
        PlaceQuery(since=float("nan")),
        PlaceQuery(pose=np.zeros(3), radius=float("nan")),
        PlaceQuery(pose=np.zeros(3), radius=-1.0),
        PlaceQuery(latent=np.full(4, np.nan, np.float32)),
        PlaceQuery(latent=np.zeros(9, np.float32)),
        PlaceQuery(pose=np.array([0.0, np.nan, 0.0]), radius=1.0),
    ],
)
def test_queries_that_cannot_be_are_refused(memory: PlaceMemory, query: PlaceQuery) -> None:
    with pytest.raises(AmiError) as error:
        memory.recall(query)
    assert_code(Code.INVALID_INPUT, error)


# Remember


def test_a_label_names_the_place_where_the_robot_is(walker: Walker) -> None:
    memory = walker.memory
    place = memory.remember("start", "the first corner")
    location = memory.location()
    assert location is not None and place == location.place_id
    found = memory.recall(PlaceQuery(label="start"))
    assert [(p.id, p.note) for p in found] == [(place, "the first corner")]
    assert memory.remember("start") == place  # once more is no conflict


def test_a_label_is_moved_only_on_purpose(walker: Walker) -> None:
    memory = walker.memory
    first = memory.remember("dock")
    walker.drive(1.5)
    with pytest.raises(AmiError, match="set overwrite") as error:
        memory.remember("dock")
    assert_code(Code.LABEL_EXISTS, error)
    assert memory.places().labels == {first: "dock"}
    second = memory.remember("dock", overwrite=True)
    assert second != first and memory.places().labels == {second: "dock"}


def test_labels_and_notes_have_a_greatest_length(memory: PlaceMemory) -> None:
    memory.remember("x" * 128, "y" * 1024)
    for label, note in (("x" * 129, ""), ("x", "y" * 1025)):
        with pytest.raises(AmiError) as error:
            memory.remember(label, note)
        assert_code(Code.INVALID_INPUT, error)


def test_a_lost_robot_cannot_name_places(open_memory: Opener) -> None:
    with pytest.raises(AmiError) as error:
        open_memory().remember("here")
    assert_code(Code.NOT_LOCALISED, error)


# Forget


def test_forgotten_places_are_gone_from_everywhere(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.drive(3.0)
    memory.remember("end")
    count, ids = len(memory), [2, 3]
    assert memory.forget(ids=ids) == 2
    assert memory.forget(labels=["end"]) == 1
    assert len(memory) == count - 3 and memory.places().labels == {}
    assert not set(ids) & set(memory.places().edges.ravel().tolist())
    memory.close()
    again = open_memory(path)
    np.testing.assert_array_equal(again.places().ids, memory.places().ids)


@pytest.mark.parametrize(
    ("ids", "labels"), [([999], []), ([1, 999], []), ([], ["nowhere"]), ([], [""]), ([], []), ([1], ["nowhere"])]
)
def test_what_is_not_there_cannot_be_forgotten_and_nothing_else_is(
    memory: PlaceMemory, ids: list[int], labels: list[str]
) -> None:
    before = len(memory)
    with pytest.raises(AmiError) as error:
        memory.forget(ids, labels)
    assert_code(Code.NOT_FOUND, error)
    assert len(memory) == before


def test_the_place_under_the_robot_can_be_forgotten(memory: PlaceMemory) -> None:
    location = memory.location()
    assert location is not None
    memory.forget(ids=[location.place_id])
    place = memory.remember("here")  # the next nearest
    assert place != location.place_id and memory.places().labels == {place: "here"}


def test_after_everything_is_forgotten_the_robot_is_lost_until_it_looks_again(walker: Walker) -> None:
    memory = walker.memory
    count = len(memory)
    assert memory.forget(everything=True) == count and len(memory) == 0
    for ask in (
        lambda: memory.remember("here"),
        lambda: memory.find_route(GoalQuery(latent=latent_of([0.0, 0.0, 0.0]))),
    ):
        with pytest.raises(AmiError) as error:
            ask()
        assert_code(Code.NOT_LOCALISED, error)
    location = walker.look()
    assert location.localised and len(memory) == 1
    np.testing.assert_allclose(location.pose, 0.0, atol=0.05)  # a new map
    assert memory.forget(everything=True) == 1
    assert memory.forget(everything=True) == 0


def test_a_memory_without_learning_can_be_emptied_and_goes_on(open_memory: Opener, path: Path) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.drive(1.0)
    memory.close()
    serving = Walker(open_memory(path, MemoryConfig(learning=False)))
    serving.look()
    serving.memory.forget(everything=True)
    assert not serving.drive(0.5).localised and len(serving.memory) == 0
