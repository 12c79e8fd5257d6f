"""Segments: the newest are kept."""

from __future__ import annotations

import numpy as np

from ami_ros.world_model.adaptation import Segment, SegmentStore


def numbered(number: int) -> Segment:
    return Segment(number, np.zeros(2, np.float32), np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.zeros(3))


def test_store_keeps_the_newest() -> None:
    store = SegmentStore(3, np.random.default_rng(0))
    for number in range(10):
        store.add(numbered(number))
    assert len(store) == 3 and store.all().before.shape == (3, 2) and store.draw(5).motion.shape == (5, 3)
    assert sorted(segment.stamp for segment in store._rows) == [7, 8, 9]
