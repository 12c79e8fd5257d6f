"""Which returns of a scan some beam has to meet again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.safety.snapshot import Snapshot
from ami_ros.safety.vanished import inner
from ami_ros.scan import Scan
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle
from harness.laser_drives import RANGE, box, post


def seen(things: list[Obstacle], beams: int = 72) -> tuple[Array, NDArray[np.bool_]]:
    """What a laser at the origin sees of things (n, 2) [m], and which of it is `inner` (n,)."""
    step = 2 * math.pi / beams
    ranges = FloorPlan(things).cast(np.zeros(2), -math.pi + step * np.arange(beams))
    scan = Scan(np.where(ranges < RANGE, ranges, np.inf).astype(np.float32), -math.pi, step, max_range=RANGE)
    snapshot = Snapshot.of(scan, np.zeros(3), 0.0, 0.0)
    return snapshot.points, inner(snapshot)


@pytest.mark.parametrize("beams", [72, 360])
@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0])
def test_all_of_a_wall_is_but_for_its_ends(distance: float, beams: int) -> None:
    points, found = seen([box(distance, 0.0, 0.05, 0.8 * distance)], beams)
    ends = np.isin(np.arange(len(points)), [0, len(points) - 1])
    assert len(points) > 5 and (found == ~ends).all()


def test_a_wall_that_is_seen_at_thirty_degrees_is() -> None:
    points, found = seen([Obstacle("box", "box", (4.0, 0.0), math.radians(60.0), (0.05, 1.5), 1.0)])
    assert len(points) >= 4 and found.sum() == len(points) - 2


@pytest.mark.parametrize("radius", [0.03, 0.1])
def test_a_leg_or_a_post_that_one_or_two_beams_meet_is_not(radius: float) -> None:
    points, found = seen([post(3.0, 0.0, radius), post(0.0, 3.0, radius), post(-3.0, 0.0, radius)])
    assert len(points) == 3 and not found.any()


def test_things_behind_one_another_are_not_one() -> None:
    """Beside the edge of a pillar stands another, two metres behind it."""
    angles = np.radians([-5.0, 0.0, 5.0])
    points, found = seen(
        [post(r * math.cos(a), r * math.sin(a), 0.05) for r, a in zip((2.0, 4.0, 2.0), angles, strict=True)]
    )
    assert len(points) == 3 and not found.any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_fewer_than_three_none_is(count: int) -> None:
    points, found = seen([post(1.0, 0.087 * k, 0.03) for k in range(count)])
    assert len(points) == count and not found.any()
