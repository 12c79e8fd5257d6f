"""Between two moments that memory takes in: the mean command, if anybody gives commands, and the greatest surprise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.runtime.memory import MemoryFeed, MemoryInput
from ami_ros.runtime.perception import LatentFrame

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
