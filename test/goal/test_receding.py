"""What stays as far off as it was while the robot drives to it."""

from __future__ import annotations

import numpy as np

from ami_ros.goal.receding import DRIVEN, Receding


def seen(receding: Receding, *moments: tuple[float, float | None]) -> list[bool]:
    """Whether it recedes, moment by moment: where the robot is along its way, and how far off it sees its goal."""
    return [receding.update(np.array([x, 0.0, 0.0]), distance) for x, distance in moments]


def test_what_comes_nearer_is_driven_to_and_what_does_not_is_not() -> None:
    steps = np.arange(0.0, 2.0, 0.125)
    assert not any(seen(Receding(), *((x, 2.0 - x) for x in steps)))
    receded = seen(Receding(), *((x, 0.7) for x in steps))
    assert receded.index(True) == 5 and steps[5] > DRIVEN > steps[4]
    assert not any(seen(Receding(), *((x, 0.2) for x in steps))), "it is there"


def test_what_is_driven_without_seeing_it_does_not_count() -> None:
    """A robot that faced another way saw nothing for a metre; then its first look, a bad one, ended the approach."""
    receding = Receding()
    assert not any(
        seen(receding, (0.0, 0.5), *((x, None) for x in np.arange(0.1, 1.5, 0.1)), (1.5, 0.75), (1.55, 0.75))
    )


def test_something_else_begins_anew() -> None:
    receding = Receding()
    seen(receding, (0.0, 0.7), (0.5, 0.7))
    receding.restart()
    assert seen(receding, (0.5, 0.7), (0.9, 0.7)) == [False, False]
