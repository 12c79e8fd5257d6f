"""Segments: cut out of a drive, the newest are kept."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.adaptation.segments import Segment, SegmentCutter, SegmentStore


def numbered(number: int) -> Segment:
    return Segment(number, np.zeros(2, np.float32), np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.zeros(3))


def test_cutter_pairs_commands_with_what_came_of_them() -> None:
    cutter = SegmentCutter(chunk=3, period=0.2)
    cut = [
        cutter.add(0.2 * k, np.full(2, k, np.float32), np.array([0.1 * k, 0.0, 0.0]), (10.0 * k, 0.0)) for k in range(7)
    ]
    assert cut[:4] == [None] * 4
    last = cut[6]
    assert last is not None and last.stamp == pytest.approx(1.2)
    assert last.before[0] == 3 and last.after[0] == 6 and last.motion == pytest.approx([0.3, 0, 0])
    assert last.previous[0] == 30 and last.commands[:, 0].tolist() == [40, 50, 60]


def test_gap_in_time_begins_a_new_drive() -> None:
    cutter = SegmentCutter(chunk=1, period=0.2)
    stamps = [0.0, 0.2, 0.4, 1.4, 1.6, 1.8]
    cut = [cutter.add(stamp, np.zeros(2, np.float32), np.zeros(3), (0.1, 0.0)) is not None for stamp in stamps]
    assert cut == [False, False, True, False, False, True]


def test_store_keeps_the_newest() -> None:
    store = SegmentStore(3, np.random.default_rng(0))
    for number in range(10):
        store.add(numbered(number))
    assert len(store) == 3 and store.all().before.shape == (3, 2) and store.draw(5).motion.shape == (5, 3)
    assert sorted(segment.stamp for segment in store._rows) == [7, 8, 9]
