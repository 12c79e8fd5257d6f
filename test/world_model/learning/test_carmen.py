"""CARMEN logs: scans and poses are read, damage is counted, and what is none is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.carmen import find_logs, read_carmen
from harness.carmen import RING, around, scan_at, write_log

POSES = around(0.25)


@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_scans_and_poses_of_a_log_are_read(tmp_path: Path, name: str) -> None:
    log = read_carmen(write_log(tmp_path / name, RING, POSES))
    assert log.skipped == 0 and len(log.scans) == len(POSES)
    assert np.allclose(log.poses, POSES, atol=1e-4)
    scan, true = log.scans[5].scan, scan_at(RING, POSES[5])
    assert np.allclose(scan.angles, true.angles) and np.nanmax(np.abs(scan.ranges - true.ranges)) < 0.1
    assert log.scans[5].stamp == pytest.approx(1.0)


def test_the_newer_format_says_where_its_beams_point(tmp_path: Path) -> None:
    laser, beams, poses = "0 -1.5 3.0 0.5 20.0 0.01 0", "3 1.0 25.0 2.0 0", "1.1 2.0 0.5 1.0 2.0 0.5"
    (tmp_path / "b.log").write_text(f"ROBOTLASER1 {laser} {beams} {poses} 0.3 0.1 0.5 0.4 1.0 77.5 pc 9.0")
    (row,) = read_carmen(tmp_path / "b.log").scans
    assert np.allclose(row.scan.angles, [-1.5, -1.0, -0.5]) and row.scan.ranges.tolist() == [1.0, np.inf, 2.0]
    assert row.pose.tolist() == [1.1, 2.0, 0.5] and row.stamp == 9.0


def test_poses_are_those_that_were_corrected_where_odometry_beside_them_was_not(tmp_path: Path) -> None:
    beams = " ".join(["1.0"] * 180)
    (tmp_path / "c.log").write_text(f"FLASER 180 {beams} 1 2 0.5 7 8 0.9 3.0 pc 4.0\n")
    (row,) = read_carmen(tmp_path / "c.log").scans
    assert row.pose.tolist() == [1.0, 2.0, 0.5] and row.scan.angle_increment == pytest.approx(np.pi / 180)


def test_damaged_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    damage = [
        "FLASER 181 1 2 3",
        "FLASER x",
        "FLASER -3 1 1 1 1 1 1 1 a 1",
        "ROBOTLASER1 1",
    ]
    log = read_carmen(write_log(tmp_path / "d.log", RING, POSES, "\n".join([*damage, "\x00\xff junk"])))
    assert log.skipped == 4 and len(log.scans) == len(POSES)


def test_a_packed_log_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = write_log(tmp_path / "e.log.gz", RING, POSES)
    whole.write_bytes(whole.read_bytes()[:-2000])
    log = read_carmen(whole)
    assert 0 < len(log.scans) < len(POSES) and log.skipped >= 1


@pytest.mark.parametrize("content", [b"", b"PARAM a b\n", b"\x00\xff\x1f" * 100])
def test_what_has_no_scan_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.log").write_bytes(content)
    with pytest.raises(AmiError, match="no scan") as refusal:
        read_carmen(tmp_path / "f.log")
    assert "\n" not in str(refusal.value)


def test_what_only_looks_packed_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "g.log.gz").write_bytes(b"not packed at all")
    with pytest.raises(AmiError, match="cannot be read"):
        read_carmen(tmp_path / "g.log.gz")


def test_logs_are_found_by_name(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="no CARMEN log"):
        find_logs(tmp_path)
    names = [write_log(tmp_path / name, RING, POSES[:3]).name for name in ("a.log", "b.log.gz")]
    (tmp_path / "notes.txt").write_text("no log")
    assert [path.name for path in find_logs(tmp_path)] == names
    assert find_logs(tmp_path / "a.log") == [tmp_path / "a.log"]
