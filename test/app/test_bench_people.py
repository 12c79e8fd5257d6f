"""Goals among people: one small run of the command, and what its figures count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ami_ros.app import bench_people
from ami_ros.errors import AmiError
from ami_ros.evaluation.people_trials import PeopleSetting, figures_of, time_ratio
from ami_ros.simulation.world_file import load_world


def row(kind: str, reached: bool, seconds: float, moving: int = 0, standing: int = 0, **more: Any) -> dict[str, Any]:
    contacts = {"robot_moving": moving, "robot_standing": standing, "leaving": 0, "could_leave": standing}
    return {
        "kind": kind, "reached": reached, "claimed": reached, "false_success": False, "time_s": seconds,
        "collisions": moving + standing, "contacts": contacts, "nearest_m": 0.4, "error_msg": "",
    } | more  # fmt: skip


def test_contacts_of_the_moving_and_of_the_standing_robot_count_apart() -> None:
    rows = [
        row("near", True, 5.0, moving=1), row("far", True, 15.0, standing=2, nearest_m=-0.01),
        row("far", False, 90.0, claimed=True, false_success=True),
        {"kind": "explore", "collisions": 1, "nearest_m": None,
         "contacts": {"robot_moving": 1, "robot_standing": 0, "leaving": 0, "could_leave": 0}},
    ]  # fmt: skip
    found = figures_of(rows)
    assert found["contacts"] == {"robot_moving": 2, "robot_standing": 2, "leaving": 0, "could_leave": 2}
    assert (found["near"]["reached"], found["far"]["reached"], found["far"]["n"]) == (1, 1, 2)
    assert found["false_success"] == {"n": 1, "claims": 3, "rate": pytest.approx(1 / 3, abs=1e-4)}
    assert found["nearest_approach_m"] == -0.01 and found["times"]["all"]["median_s"] == 10.0


def test_times_are_compared_with_those_of_the_empty_world() -> None:
    assert time_ratio([row("near", True, 15.0)], [row("near", True, 10.0)]) == 1.5
    assert time_ratio([row("near", False, 15.0)], [row("near", True, 10.0)]) is None


def test_goals_are_driven_in_blocks() -> None:
    assert PeopleSetting(load_world("empty"), Path(), None, goals=23).blocks == [10, 10, 3]


def test_a_run_writes_its_figures_and_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "world": "two_rooms", "people": 1, "goals": 1, "seed": 7, "trials": tmp_path / "trials",
        "json": tmp_path / "figures.json", "ghosts": 2,
    }  # fmt: skip
    bench_people.main(**asked, methods="nothing_predicted,empty")
    found = json.loads((tmp_path / "figures.json").read_text())
    for method in ("nothing_predicted", "empty"):
        assert found[method]["near"]["n"] == 1 and set(found[method]["near"]) >= {"reached", "wilson_low"}
    assert found["nothing_predicted"]["nearest_approach_m"] is not None
    assert found["empty"]["nearest_approach_m"] is None
    assert found["ghosts"]["occupancy"]["n"] == 2
    assert found["ghosts"]["occupancy"]["n"] == 2
    kept = sorted(path.name for path in (tmp_path / "trials").iterdir())
    assert kept == ["empty-0.json", "nothing_predicted-0.json"]
    stamps = [path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()]
    bench_people.main(**asked, methods="nothing_predicted,empty")
    assert [path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()] == stamps
    with pytest.raises(AmiError, match="seed"):
        bench_people.main(**(asked | {"seed": 8}), methods="empty")


@pytest.mark.parametrize("wrong, said", [({"methods": "magic"}, "magic"), ({"manner": "rude"}, "rude")])
def test_what_cannot_be_is_refused_in_one_line(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(AmiError, match=said):
        bench_people.main(world="two_rooms", people=1, **wrong)  # type: ignore[arg-type]
