"""What reports share: rates with their intervals, figures of arms, and files that are written whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.bench.report import SuccessRate, figures_by_arm, wilson_interval, write_json
from ami_ros.core.errors import AmiError


@pytest.mark.parametrize(
    ("reached", "n", "low", "high"),
    [(9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_interval_gives_published_values(reached: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(reached, n) == pytest.approx((low, high), abs=1e-4)


def test_without_trials_nothing_is_known() -> None:
    rate = SuccessRate.of([])
    assert rate.rate is None
    assert (rate.wilson_low, rate.wilson_high) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_the_rate_and_stays_in_the_unit_interval(pair: tuple[int, int]) -> None:
    reached, n = pair
    low, high = wilson_interval(reached, n)
    assert 0.0 <= low <= reached / n <= high <= 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="k"):
        wilson_interval(3, 2)


def test_json_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["out.json"]


def test_unwritable_place_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"cannot write .*missing/out\.json"):
        write_json(tmp_path / "missing" / "out.json", {})


def row(kind: str, reached: bool, **more: Any) -> dict[str, Any]:
    return {"part": "p", "kind": kind, "reached": reached, "claimed": reached, "time_s": 10.0} | more


def test_arms_have_their_rates_contacts_times_and_nearest_approach() -> None:
    among = {"method": "constant_velocity", "robot_moving": 1, "robot_standing": 2, "leaving": 1, "could_leave": 0}
    rows = [
        row("near", True, nearest_m=0.4, **among),
        row("near", False, nearest_m=0.2, **among),
        row("far", True, false_success=True, nearest_m=None, **(among | {"time_s": 30.0})),
        row("near", True, method="empty"),
        {"part": "ghosts", "layer": "occupancy", "gone_s": 0.1},
    ]
    figures = figures_by_arm(rows)
    assert set(figures) == {"constant_velocity", "empty"}
    found = figures["constant_velocity"]
    assert (found["near"]["n"], found["near"]["reached"], found["far"]["n"]) == (2, 1, 1)
    assert 0 < found["near"]["wilson_low"] < 0.5 < found["near"]["wilson_high"] < 1
    assert found["contacts"] == {"robot_moving": 3, "robot_standing": 6, "leaving": 3, "could_leave": 0}
    assert found["false_success"] == {"n": 1, "claims": 2} and found["nearest_approach_m"] == 0.2
    assert found["times"]["all"]["median_s"] == 20.0 and found["times"]["near"]["median_s"] == 10.0
    assert "contacts" not in figures["empty"] and figures["empty"]["far"]["n"] == 0


def test_days_are_arms() -> None:
    assert list(figures_by_arm([row("far", True, day="night"), row("far", True, day="same")])) == ["night", "same"]
