"""Logs of lasers: drift is what it is said to be, and constraints are judged by the log's own poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.logs import Logs, aligned_error, with_drift
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
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


def test_a_drive_through_a_world_is_a_log_with_the_odometry_of_the_robot() -> None:
    kind = Logs(worlds=("two_rooms",), minutes=0.5)
    assert [part.name for part in kind.parts()] == ["two_rooms"]
    (drive,) = kind.run("two_rooms", 5100, (), lambda what: None)
    assert drive["scans"] == 150 and drive["driven_m"] > 3.0 and drive["map_ate_m"] < 0.1
    assert drive["losses"] == drive["lost"] == 0


def test_a_round_in_a_log_is_told_without_a_false_join(tmp_path: Path) -> None:
    write_log(tmp_path / "ring.log.gz", RING, around(1.25))
    kind = Logs(str(tmp_path))
    assert [part.name for part in kind.parts()] == ["ring.log.gz"]
    (log,) = kind.run("ring.log.gz", 5100, (), lambda what: None)
    assert log["false_constraints"] == 0 and log["constraints"] >= 4
    assert log["revisits"] >= 6 and log["revisits_told"] >= 0.7 * log["revisits"]
    assert log["map_ate_m"] < log["odometry_ate_m"] and log["ms_p95"] > 0
    with pytest.raises(AmiError, match="say where the logs are"):
        Logs().parts()
