"""What memory takes in between two moments, and what other robots remember."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.logs import laser_config, with_drift
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import PlaceQuery
from ami_ros.runtime.memory import MemoryFeed, MemoryInput, MemoryPart, MemorySettings
from ami_ros.runtime.perception import LatentFrame
from ami_ros.runtime.simulated_bus import SimulatedBus, Timing
from harness.carmen import RING, driven, scan_at

CORNERS = np.array([(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0)])


def toured(path: Path, corners: np.ndarray, seed: int) -> PlaceMemory:
    """The memory of a robot that has driven past these corners."""
    memory, rng = PlaceMemory(LaserModel(), ENCODER, path, laser_config()), np.random.default_rng(seed)
    memory.share_as(path.stem)
    truth = driven(corners)
    odometry = with_drift(truth, 0.03, np.random.default_rng(seed))
    for k, pose in enumerate(truth):
        memory.observe(0.2 * k, None, relative(odometry[0], odometry[k]), scan=scan_at(RING, pose, rng))
    memory.finish()
    memory.map.store.flush()
    return memory


def test_copies_of_other_robots_memories_are_taken_in_with_their_labels(tmp_path: Path) -> None:
    theirs = toured(tmp_path / "amr2.memory", CORNERS[[2, 1, 0, 3]], 2)
    theirs.remember("dock")
    theirs.close()
    mine = toured(tmp_path / "amr1.memory", CORNERS, 1)
    bus = SimulatedBus(Timing())
    part = bus.add(MemoryPart(bus.seat("memory"), mine, MemorySettings(), 2))
    copies = tmp_path / "amr1.memory.site"
    part.share("amr1", copies)
    bus.run_until(3.0)
    assert mine.joined == {} and not mine.recall(PlaceQuery(label="dock"))
    copies.mkdir()
    shutil.copy(tmp_path / "amr2.memory", copies)
    bus.run_until(6.0)
    while part.between():
        pass
    joined = mine.joined["amr2"]
    assert joined.taken > 0 and joined.left == 0 and joined.message == ""
    assert len(mine.recall(PlaceQuery(label="dock"))) == 1
    mine.close()


# Between two moments that memory takes in: the mean command, if anybody gives commands, and the greatest surprise


LATENT = np.zeros(2, np.float32)


def moment(feed: MemoryFeed, stamp: float) -> MemoryInput:
    feed.take_odometry(stamp, np.zeros(3), (0.0, 0.0))
    found = feed.take_latent(LatentFrame(stamp, LATENT))
    assert found is not None and found.stamp == stamp
    return found


def test_the_mean_command_and_the_greatest_surprise_are_told_once() -> None:
    feed = MemoryFeed(2, 0.2)
    feed.take_command(0.0, (0.2, 0.0))
    first = moment(feed, 1.0)
    assert (first.command, first.surprise) == (None, 0.0)  # since when is not known
    feed.take_command(1.1, (0.4, 1.0))
    for z_score in (2.0, 7.0, math.nan, 3.0):
        feed.take_surprise(z_score)
    second = moment(feed, 1.2)
    assert second.command == pytest.approx((0.3, 0.5)) and second.surprise == 7.0
    third = moment(feed, 1.4)
    assert third.command == pytest.approx((0.4, 1.0)) and third.surprise == 0.0


def test_where_nobody_gives_commands_none_is_told() -> None:
    feed = MemoryFeed(2, 0.2)
    moment(feed, 1.0)
    feed.take_command(1.1, (math.nan, 0.0))
    assert moment(feed, 1.2).command is None


def test_after_a_jump_in_time_nothing_is_known_of_what_was() -> None:
    feed = MemoryFeed(2, 0.2)
    feed.take_command(5.0, (0.2, 0.0))
    moment(feed, 6.0)
    feed.clear()
    assert moment(feed, 1.0).command is None and moment(feed, 1.2).command is None


@pytest.mark.parametrize("rate", [5.0, 10.0, 12.0, 30.0, 60.0])
def test_memory_takes_in_five_moments_a_second_whatever_the_camera_does(rate: float) -> None:
    feed = MemoryFeed(2, 0.2)
    taken = 0
    for stamp in np.arange(round(10 * rate)) / rate:
        feed.take_odometry(float(stamp), np.zeros(3), (0.0, 0.0))
        taken += feed.take_latent(LatentFrame(float(stamp), LATENT)) is not None
    assert 39 <= taken <= 56


def test_a_latent_without_odometry_of_its_time_is_refused() -> None:
    with pytest.raises(AmiError, match="no odometry at its time"):
        MemoryFeed(2, 0.2).take_latent(LatentFrame(1.0, LATENT))
