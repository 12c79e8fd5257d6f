"""Logs of lasers: drift is what it is said to be, and constraints are judged by the log's own poses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ami_ros.app import bench_logs
from ami_ros.evaluation.log_bench import aligned_error, false_rate, with_drift
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.geometry import compose
from harness.carmen import RING, around, write_log


def test_drift_is_none_where_none_is_asked_for_and_the_same_for_a_seed() -> None:
    truth = around(0.5)
    assert np.allclose(with_drift(truth, 0.0, np.random.default_rng(1)), truth)
    first, again, other = (with_drift(truth, 0.1, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert aligned_error(first, truth).max() > 0.1


def test_alignment_takes_out_where_a_map_begins_and_nothing_else() -> None:
    truth = around(0.5)
    assert aligned_error(compose(np.array([3.0, -2.0, 0.7]), truth), truth).max() < 1e-9
    assert aligned_error(truth * [1.1, 1.0, 1.0], truth).max() > 0.4


def test_false_constraints_are_what_is_not_right() -> None:
    assert false_rate(SuccessRate.of([True] * 9 + [False])).reached == 1


def test_a_round_in_a_log_is_told_without_a_false_join(tmp_path: Path) -> None:
    write_log(tmp_path / "ring.log.gz", RING, around(1.25))
    (tmp_path / "empty.log").write_text("nothing\n")
    bench_logs.main(tmp_path, drift=0.05, seed=5100, json=tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    (log,) = figures["logs"]
    assert log["false_constraints"]["reached"] == 0 and log["constraints"]["n"] >= 4
    assert log["revisits"]["n"] >= 6 and log["revisits"]["rate"] >= 0.7
    assert log["map_ate_m"] < log["odometry_ate_m"] and log["ms_p95"] > 0
    assert figures["total"]["false_constraints"]["n"] == log["constraints"]["n"] and len(figures["unread"]) == 1
