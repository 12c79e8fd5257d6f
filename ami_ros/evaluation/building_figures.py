"""What the methods did in buildings, summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ami_ros.evaluation.building_trials import Row
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.planning.codes import Code

NEAR_FAR = ("near", "far")


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Of one method. Ambiguous goals count apart; a wrong claim of one is a false success all the same.

    `near`, `far`: how many were reached. `false_success`: claims of goals of this building that were wrong, and their
    share of all such claims. `foreign`: pictures of other buildings. `spl`: success weighted by path length.
    """
    goals = [row for row in rows if row["kind"] in NEAR_FAR]
    plain = [row for row in goals if not row["ambiguous"]]
    foreign = [row for row in rows if row["kind"] == "foreign"]
    explored = [row["explored_share"] for row in rows if row["kind"] == "explore"]
    figures: dict[str, Any] = {
        kind: SuccessRate.of(row["reached"] for row in plain if row["kind"] == kind).to_json() for kind in NEAR_FAR
    }
    claims, false = sum(row["claimed"] for row in goals), sum(row["false_success"] for row in goals)
    figures["false_success"] = {"n": false, "claims": claims, "rate": round(false / claims, 4) if claims else None}
    claimed = sum(row["claimed"] for row in foreign)
    figures["foreign"] = {"n": len(foreign), "refused": len(foreign) - claimed, "claimed": claimed}
    figures["ambiguous"] = _ambiguous([row for row in goals if row["ambiguous"]])
    figures["unreached_codes"] = dict(Counter(_why(row) for row in goals if not row["reached"]))
    figures["time_p50_s"], figures["time_p95_s"] = _spread([row["time_s"] for row in goals if row["reached"]])
    figures["spl"] = round(float(np.mean([row["spl"] for row in plain])), 4) if plain else None
    figures["collisions"] = sum(row["collisions"] for row in rows)
    figures["explored_share"] = round(float(np.mean(explored)), 4) if explored else None
    return figures


def _ambiguous(rows: Sequence[Row]) -> dict[str, int]:
    return {
        "n": len(rows),
        "reached": sum(row["reached"] for row in rows),
        "refused": sum(not row["claimed"] for row in rows),
        "claimed_wrong": sum(row["false_success"] for row in rows),
    }


def _why(row: Row) -> str:
    """The name of how a goal ended that was not reached."""
    if row["claimed"]:
        return "FALSE_SUCCESS" if row["false_success"] else "TOO_LATE"
    return Code(row["error_code"]).name if row["error_code"] in set(Code) else str(row["error_code"])


def _spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """p50 and p95."""
    if not values:
        return None, None
    p50, p95 = np.percentile(values, [50, 95])
    return round(float(p50), 1), round(float(p95), 1)
