"""The model for robots without a camera explores a world that it has never seen, and drives to poses in its own map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ami_ros.bench.buildings import Buildings
from ami_ros.bench.report import SuccessRate
from ami_ros.core.errors import AmiError

GOALS = 2  # one near, one far
FLOOR = 1  # of them
SEED = 7302
Record = Callable[[str, Any], None]


@pytest.mark.timeout(600)
def test_it_reaches_poses_where_it_has_explored(record_property: Record) -> None:
    torch.set_num_threads(1)
    kind = Buildings(goals=GOALS, foreign=0, explore=0.8, model="laser")
    explored, *goals = kind.drive("two_rooms", SEED, lambda text: None)
    assert explored["places"] > 20 and [row["kind"] for row in goals] == ["near", "far"]
    assert not any(row["collisions"] for row in (explored, *goals))
    rate = SuccessRate.of(row["reached"] for row in goals)
    record_property("figure", f"models/laser: reached {rate}, seed {SEED}")
    assert rate.reached >= FLOOR


def test_arms_that_need_pictures_are_refused() -> None:
    with pytest.raises(AmiError, match="robot ami_bot_laser has no camera, so its only method is general"):
        next(Buildings(baselines=(), model="laser").drive("two_rooms", 0, lambda text: None))
