"""People in labelled scans."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ami_ros.bench.walkers import LegCounts, measure, people_of, scan_of, score
from ami_ros.core.errors import AmiError

ARC, REACH = np.radians(15), 5.0


def test_tracks_and_people_stand_for_each_other_once() -> None:
    counts = LegCounts()
    people = np.array([[2.0, 0.0], [4.0, 0.2]])
    score(counts, np.array([[2.1, 0.1], [2.2, 0.0], [3.0, 3.0]]), people, ARC, REACH)
    assert (counts.found, counts.missed, counts.false, counts.elsewhere) == (1, 1, 1, 1)
    score(counts, np.zeros((0, 2)), people, ARC, REACH)
    assert counts.missed == 3


def test_legs_that_are_near_are_one_person() -> None:
    def pose(x: float, y: float) -> SimpleNamespace:
        return SimpleNamespace(position=SimpleNamespace(x=x, y=y))

    found = people_of(SimpleNamespace(poses=[pose(2.0, 0.1), pose(2.2, -0.1), pose(4.0, 0.0)]))
    assert np.allclose(found, [[2.1, 0.0], [4.0, 0.0]])
    assert people_of(SimpleNamespace(poses=[])).shape == (0, 2)


def test_readings_that_are_none_are_told_from_far_ones() -> None:
    message = SimpleNamespace(
        ranges=[0.0, -np.inf, 1.0, 12.0, np.nan], range_min=0.1, range_max=10.0, angle_min=0.0, angle_increment=0.1
    )
    assert np.array_equal(scan_of(message).ranges, np.array([np.nan, 0.1, 1.0, np.inf, np.nan], np.float32), True)


def test_what_is_no_bag_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="nowhere"):
        measure(tmp_path / "nowhere.bag", ARC, REACH)
    (tmp_path / "broken.bag").write_bytes(b"#ROSBAG V2.0\nnonsense")
    with pytest.raises(AmiError):
        measure(tmp_path / "broken.bag", ARC, REACH)
