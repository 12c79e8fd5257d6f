"""The bench of merging: it judges maps by where places were founded, and says what more workers would take."""

from __future__ import annotations

import pytest

from ami_ros.bench.fleet import Merge

pytest.importorskip("lance", reason="the extra lance is not installed")


def test_a_fleet_of_two_buildings_is_merged_and_judged() -> None:
    kind = Merge(buildings=2, kinds=("home",), drives=1, memories=2, minutes=0.7, processes=1)
    rows = list(kind.run("merge", 3, (), lambda what: None))
    (job,) = (row for row in rows if row["what"] == "job")
    maps = [row for row in rows if row["what"] == "map"]
    assert job["memories"] == 4 and job["wrong"] == 0 and job["same"] and job["maps"] == len(maps) >= 2
    assert sum(row["robots"] for row in maps) == 4 and job["joins"] == 4 - len(maps)
    assert all(row["error_max_m"] < 0.5 and row["off"] == 0 for row in maps if row["places"] > 2)
    assert job["model_1_s"] == pytest.approx(job["cpu_s"], abs=0.1)
    assert job["model_1_s"] >= job["model_2_s"] >= job["model_64_s"] > 0
