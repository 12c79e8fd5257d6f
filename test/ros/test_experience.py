"""Between two moments: the mean command, if anybody gives commands, and the greatest surprise."""

from __future__ import annotations

import math

import pytest

from ami_ros.ros.experience import Experience


def test_the_mean_command_and_the_greatest_surprise_are_told_once() -> None:
    experience = Experience()
    experience.command(0.0, (0.2, 0.0))
    assert experience.until(1.0) == (None, 0.0)  # since when is not known
    experience.command(1.1, (0.4, 1.0))
    for z_score in (2.0, 7.0, math.nan, 3.0):
        experience.surprise(z_score)
    command, surprise = experience.until(1.2)
    assert command == pytest.approx((0.3, 0.5)) and surprise == 7.0
    assert experience.until(1.4) == (pytest.approx((0.4, 1.0)), 0.0)


def test_where_nobody_gives_commands_none_is_told() -> None:
    experience = Experience()
    experience.until(1.0)
    experience.command(1.1, (math.nan, 0.0))
    assert experience.until(1.2)[0] is None


def test_after_a_jump_in_time_nothing_is_known_of_what_was() -> None:
    experience = Experience()
    experience.command(5.0, (0.2, 0.0))
    experience.until(6.0)
    experience.clear()
    assert experience.until(1.0)[0] is None and experience.until(1.2)[0] is None
