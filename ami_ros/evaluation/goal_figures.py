"""Figures of drives to goals as other programs read them, under the same names for all scenarios with such goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ami_ros.evaluation.rates import SuccessRate

KINDS = "near", "far"
CONTACTS = "robot_moving", "robot_standing", "leaving", "could_leave"  # with people; see `simulation.contacts`


def figures_by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`goal_figures` by the day or the method of the rows, or else by their part of the scenario."""
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault(str(row.get("day") or row.get("method") or row.get("part")), []).append(row)
    return {arm: found for arm, own in arms.items() if (found := goal_figures(own))}


def goal_figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of one arm: near and far goals {n, reached, wilson_low, wilson_high}, contacts, false claims, times [s] of the
    goals that were reached, and the nearest approach [m]. Empty: it has no such goals."""
    goals = {kind: [row for row in rows if row.get("kind") == kind and "reached" in row] for kind in KINDS}
    driven = [row for own in goals.values() for row in own]
    if not driven:
        return {}
    figures: dict[str, Any] = {kind: SuccessRate.of(r["reached"] for r in own).to_json() for kind, own in goals.items()}
    figures["false_success"] = {
        "n": sum(bool(row.get("false_success")) for row in driven),
        "claims": sum(bool(row.get("claimed")) for row in driven),
    }
    figures["times"] = {kind: _times(own) for kind, own in (("all", driven), *goals.items())}
    figures["collisions"] = sum(row.get("collisions", 0) for row in driven)
    if any("robot_moving" in row for row in driven):
        figures["contacts"] = {name: sum(row.get(name, 0) for row in rows) for name in CONTACTS}
        near = [row["nearest_m"] for row in rows if row.get("nearest_m") is not None]
        figures["nearest_approach_m"] = min(near, default=None)
    return figures


def _times(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    times = [row["time_s"] for row in rows if row["reached"] and row.get("time_s") is not None]
    if not times:
        return {"median_s": None, "p95_s": None}
    median, late = np.percentile(times, [50, 95])
    return {"median_s": round(float(median), 2), "p95_s": round(float(late), 2)}
