"""Tasks on disk: what was interrupted goes on, and what is no task of ours is refused."""

from __future__ import annotations

import json
import math
import os
import stat
import time
from pathlib import Path

import pytest

from ami_ros.behaviour.area import Area
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.behaviour.task import Code, Destination, DestinationView, Phase, Task, WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.errors import AmiError

CONFIG = ExplorationConfig()
GOALS = (
    Destination("place", place_label="kitchen", wait=2.0),
    Destination("pose", pose=(1.0, 2.0, 0.5), in_map=True),
    Destination("latent", latent=(0.25, -1.5), encoder_id="m@0123456789ab"),
    Destination("picture", picture="aGVsbG8=", views=(DestinationView(1.5, "aGVsbG8="),)),
)


def half_done() -> Mission:
    """A mission of four goals: one reached, one missed once and to be tried again."""
    mission = Mission(MissionPlan(GOALS, retries=1, retry_pause=0.0))
    now = 0.0
    for code in (0, 10309):
        leg = None
        while leg is None:
            now += 0.5
            leg = mission.step(WorldState(now)).leg
        mission.ended(leg.number, code == 0, code, "stuck" if code else "", now)
    return mission


def reopened(file: Path) -> Task:
    found = MissionFile(file).load(CONFIG)
    assert found is not None
    return found


def test_mission_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    mission = half_done()
    MissionFile(tmp_path / "m").save(mission)
    found = reopened(tmp_path / "m")
    assert isinstance(found, Mission)
    assert found.plan == mission.plan and found.progress == mission.progress and found.remaining == [1, 2, 3]
    leg = found.step(WorldState(5.0)).leg
    assert leg is not None and leg.destination == GOALS[1] and "try 2" in leg.reason


def test_a_leg_under_way_is_driven_again_after_a_restart(tmp_path: Path) -> None:
    mission = Mission(MissionPlan(GOALS))
    mission.step(WorldState(1.0))
    assert mission.phase is Phase.DRIVING
    MissionFile(tmp_path / "m").save(mission)
    leg = reopened(tmp_path / "m").step(WorldState(2.0)).leg
    assert leg is not None and leg.destination == GOALS[0]


def test_exploring_goes_on_with_its_time_and_its_home(tmp_path: Path) -> None:
    area = Area(((0.0, 0.0), (4.0, 0.0), (4.0, 3.0)))
    exploration = Exploration(CONFIG, 600.0, Destination("place", place_id=7), area)
    exploration.elapsed = 321.0
    MissionFile(tmp_path / "m").save(exploration)
    found = reopened(tmp_path / "m")
    assert isinstance(found, Exploration) and found.phase is Phase.CHOOSING
    assert (found.elapsed, found.allowance, found.home, found.area) == (321.0, 600.0, exploration.home, area)


def test_a_robot_that_was_on_its_way_back_does_not_begin_to_explore_again(tmp_path: Path) -> None:
    exploration = Exploration(CONFIG, 600.0, Destination("place", place_id=7))
    exploration.go_home("the battery is low")
    MissionFile(tmp_path / "m").save(exploration)
    found = reopened(tmp_path / "m")
    assert found.phase is Phase.RETURNING and found.message == "returning: the battery is low"


def test_of_a_mission_that_is_done_nothing_is_left(tmp_path: Path) -> None:
    file, mission = MissionFile(tmp_path / "m"), half_done()
    file.save(mission)
    mission.finish(Code.CANCELED, "canceled")
    file.save(mission)
    assert list(tmp_path.iterdir()) == [] and file.load(CONFIG) is None and file.age() is None


def test_age_is_the_time_since_it_was_written(tmp_path: Path) -> None:
    file = MissionFile(tmp_path / "m")
    file.save(half_done())
    content = json.loads((tmp_path / "m").read_text())
    content["saved"] -= 3600
    for part in ("uptime", "boot"):  # after a restart of the machine there is its clock alone
        changed = (
            {**content, "uptime": content["uptime"] - 3600} if part == "uptime" else {**content, "boot": "another"}
        )
        (tmp_path / "m").write_text(json.dumps(changed))
        age = file.age()
        assert age is not None and 3600 <= age < 7200


def test_what_an_emergency_stop_ended_is_there_to_be_resumed_and_too_old_to_go_on_by_itself(tmp_path: Path) -> None:
    file, mission = MissionFile(tmp_path / "m"), half_done()
    file.save(mission, by_itself=False)
    assert file.age() == math.inf
    found = file.load(CONFIG)
    assert isinstance(found, Mission) and found.progress == mission.progress
    file.save(mission)
    age = file.age()
    assert age is not None and age < 100.0


def test_setting_the_clock_changes_no_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = MissionFile(tmp_path / "m")
    file.save(half_done())
    now = time.time()
    for shift in (-1e9, -30.0, 1e9):
        monkeypatch.setattr(time, "time", lambda shift=shift: now + shift)
        age = file.age()
        assert age is not None and 0.0 <= age < 60.0


def test_its_file_is_read_by_its_owner_only(tmp_path: Path) -> None:
    MissionFile(tmp_path / "m").save(half_done())
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o600


def test_without_a_path_nothing_is_kept() -> None:
    file = MissionFile(None)
    file.save(half_done())
    assert file.load(CONFIG) is None and file.age() is None


def test_a_crash_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, mission = MissionFile(tmp_path / "m"), half_done()
    file.save(mission)
    before = (tmp_path / "m").read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AmiError, match="No space left") as error:
        file.save(mission)
    assert error.value.code == Code.BAD_FILE and (tmp_path / "m").read_text() == before


def damaged(kind: str) -> str:
    """The text of a file with one fault."""
    goal = {"kind": "place", "place_id": 1}
    mission: dict = {"plan": {"goals": [goal]}, "progress": {"records": [{}]}}
    content: dict = {"format": "ami_ros mission", "version": 1, "saved": 1.0, "mission": mission}
    if kind == "foreign":
        content["format"] = "shopping list"
    elif kind == "newer":
        content["version"] = 2
    elif kind == "undated":
        del content["saved"]
    elif kind == "empty of tasks":
        del content["mission"]
    elif kind == "unknown key":
        mission["plan"]["speed"] = 3
    elif kind == "goal that is none":
        goal["kind"] = "teapot"
    elif kind == "records of another":
        mission["progress"]["records"] = [{}, {}]
    elif kind == "visited what is not there":
        mission["progress"]["visited"] = [4]
    text = json.dumps(content)
    return {"cut off": text[: len(text) // 2], "binary": "\x00\x01", "a list": "[1, 2]", "nothing": ""}.get(kind, text)


FAULTS = ["foreign", "newer", "undated", "empty of tasks", "unknown key", "goal that is none", "records of another"]
FAULTS += ["visited what is not there", "cut off", "binary", "a list", "nothing"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_file_that_is_bad_or_not_ours_is_refused_in_one_line_that_names_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m"
    path.write_text(damaged(kind))
    with pytest.raises(AmiError, match="delete") as error:
        MissionFile(path).load(CONFIG)
    assert error.value.code == Code.BAD_FILE and str(path) in str(error.value) and "\n" not in str(error.value)


def test_the_sound_file_of_these_tests_is_taken(tmp_path: Path) -> None:
    (tmp_path / "m").write_text(damaged("none"))
    assert isinstance(reopened(tmp_path / "m"), Mission)
