"""Free ground that nobody drove to is named as far as it was seen, and no farther."""

from __future__ import annotations

import numpy as np

from ami_ros.bench.logs import laser_config
from ami_ros.core.geometry import relative
from ami_ros.memory.coverage import gaps
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from harness.carmen import box, driven, scan_at

ROOM = np.array([*box(0.0, 0.0, 12.0, 6.0), (6.0, 1.0, 6.0, 6.0)])  # a wall in the middle, that ends below the way
ROBOT = 0.2  # [m]
OFF = 0.6  # [m]


def test_spots_beyond_what_was_driven_are_free_in_truth_and_new() -> None:
    memory = PlaceMemory(LaserModel(), ENCODER, None, laser_config())
    truth = driven(np.array([(1.0, 4.0), (4.0, 4.0)]))
    for k, pose in enumerate(truth):
        memory.observe(0.2 * k, None, relative(truth[0], pose), scan=scan_at(ROOM, pose))
    index, free = memory.map.index, memory.map.graph.free
    assert free is not None
    spots, seen_from = free.beyond(np.arange(len(index)), OFF)
    assert np.hypot(*(spots - index.poses[seen_from, :2]).T).max() < 2.1
    assert len(spots) and gaps(spots, index.poses[:, :2]).min() > OFF
    x, y = (spots + truth[0][:2]).T  # the map begins where the robot did, and it looked along x
    assert ((x > ROBOT) & (x < 6.0 - ROBOT) & (y > ROBOT) & (y < 6.0 - ROBOT)).all()
    assert (y < 3.0).any() and (y > 5.0).any()
    memory.close()
