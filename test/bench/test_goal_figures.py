"""What other programs read of drives to goals."""

from __future__ import annotations

from typing import Any

from ami_ros.bench.report import figures_by_arm


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
