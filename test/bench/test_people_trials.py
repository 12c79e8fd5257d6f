"""Goals among people: a small run of the scenario, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.kinds import GHOSTS, Change, People
from ami_ros.bench.scenario import Row, load_scenario
from ami_ros.core.errors import AmiError


def rows(part: str, **options: Any) -> list[Row]:
    kind = People(world="two_rooms", people=1, goals=1, **options)
    return [{"part": part} | row for row in kind.run(part, 7, (), lambda what: None)]


def test_methods_drive_to_the_same_goal_and_only_people_come_near() -> None:
    among, empty = rows("nothing_predicted"), rows("empty")
    assert among[0]["goal"] == empty[0]["goal"] and among[0]["kind"] == "near"
    assert "nearest_m" in among[0] and "nearest_m" not in empty[0] and not empty[0]["encounters"]
    figures = {f.name: f for f in load_scenario("people").figures([*among, *empty])}
    assert figures["empty: near goals reached"].n == figures["nothing_predicted: near goals reached"].n == 1
    assert figures["nothing_predicted: nearest approach [m]"].value == among[0]["nearest_m"]
    assert figures["empty: contacts, the robot stood"].value == 0.0


def test_recorded_people_walk_on_their_own_ground_all_of_them_and_nowhere_else(tmp_path: Path) -> None:
    ways = [(who, 10 * k, 0.5 * k, 1.5 * who) for who in range(5) for k in range(12)]
    file = tmp_path / "crowd.txt"
    file.write_text("\n".join(f"{frame} {who} {x} 0 {y}" for who, frame, x, y in ways))
    kind = People(manner=f"recorded:{file}", goals=1, explore=0.1)
    first, goal = kind.run("constant_velocity", 7, (), lambda what: None)
    assert first["kind"] == "explore" and goal["kind"] == "near" and goal["allowance_s"] == 60.0
    assert "picture" not in goal["error_msg"], "the goal is a pose: a square has little that a picture could tell"
    assert np.isfinite(goal["nearest_m"])
    with pytest.raises(AmiError, match="leave --world out"):
        rows("constant_velocity", manner=f"recorded:{file}")


def test_ghosts_are_a_part_of_their_own() -> None:
    assert [part.name for part in People(baselines=("empty",)).parts()] == ["empty", GHOSTS]
    found = rows(GHOSTS, ghosts=2)
    assert len(found) == 10 and {row["layer"] for row in found} >= {"occupancy", "blocked by sight"}


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(AmiError, match="rude"):
        rows("empty", manner="rude")
    with pytest.raises(AmiError, match="no baseline 'magic'"):
        People(baselines=("magic",)).parts()
    with pytest.raises(AmiError, match="'noon'"):
        next(Change(days=("noon",)).run("building", 0, (), lambda what: None))
