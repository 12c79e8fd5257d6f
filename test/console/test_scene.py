import json
import math

import numpy as np
import pytest

from ami_ros.console.scene import Documents, Scene, dumps, rounded
from ami_ros.core.geometry import compose, relative


def test_a_scene_of_which_nothing_is_known_is_json() -> None:
    scene = Scene()
    state = json.loads(dumps(scene.state()))
    assert state["robot"] is None and state["alive"] is False
    assert json.loads(dumps(scene.live())) == {"scan": [], "outlines": {}, "track": [], "futures": []}


def test_all_is_shown_in_the_map_where_the_robot_believes_to_be() -> None:
    frame, scene = np.array([3.0, -1.0, 2.0]), Scene()  # of odom in the map
    there, now = np.array([1.0, 1.0, 0.3]), np.array([1.5, 1.2, 0.4])
    scene.moved(there)
    scene.located(compose(frame, there), there, True, 0.9)
    scene.moved(now)
    scene.plan, scene.plan_at, scene.goal = np.array([[2.0, 2.0]]), math.inf, now
    scene.people, scene.people_at = [[2.0, 2.0, 1.0, 0.0, 0.3, 1]], math.inf
    scene.scan = np.array([[1.0, 0.0]])
    scene.others = np.array([[2.0, 2.0, 1.5, 1.2]])
    state, live = scene.state(), scene.live()
    expected = compose(frame, now)
    assert state["robot"] == pytest.approx(expected, abs=1e-3) and state["goal"] == state["robot"]
    spot = compose(frame, [2.0, 2.0, 0.0])
    assert state["plan"][0] == pytest.approx(spot[:2], abs=1e-3)
    assert live["futures"] == [state["plan"][0], state["robot"][:2]]
    assert state["people"][0][:4] == pytest.approx([*spot[:2], math.cos(2.0), math.sin(2.0)], abs=1e-3)
    assert relative(expected, [*live["scan"][0], 0.0])[:2] == pytest.approx([1.0, 0.0], abs=2e-3)


def test_old_plans_and_people_are_not_shown() -> None:
    scene = Scene(plan=np.ones((3, 2)), people=[[0.0, 0.0, 0.0, 0.0, 0.3, 1]])
    assert scene.state()["plan"] == [] and scene.state()["people"] == []


def test_numbers_that_json_lacks_are_null() -> None:
    scene = Scene(rate=math.nan, command=(math.inf, 0.0))
    assert json.loads(dumps(scene.state()))["command"] == [None, 0.0]
    assert rounded(np.array([[1.23456, 2.0]])) == [[1.235, 2.0]]


def test_the_history_has_the_newest_states_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, clock = Scene(), iter(range(10**6))
    monkeypatch.setattr("ami_ros.console.scene.time.monotonic", lambda: float(next(clock)))
    for k in range(650):
        scene.keep({"t": k})
    kept = [json.loads(text)["t"] for text in scene.history()]
    assert len(kept) == 600 and kept[-1] == 649


def test_a_page_gets_each_document_once() -> None:
    documents = Documents()
    seen: dict[str, int] = {}
    documents.put("map", {"a": 1})
    documents.put("map", {"a": 2})
    new = documents.newer(seen)
    assert new["map"][1] == {"a": 2}
    seen = {name: version for name, (version, _) in new.items()}
    assert documents.newer(seen) == {}
    documents.put("map", {"a": 3})
    assert list(documents.newer(seen)) == ["map"]
