"""Where a goal was found not to be: it is not seen there again, unless an exact look takes that back."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.goal.refuted import Refuted

HERE, BESIDE, ELSEWHERE = np.array([1.0, 2.0, 0.3]), np.array([1.3, 2.2, 0.0]), np.array([1.0, 3.0, 0.3])


@pytest.mark.parametrize("firmly", [True, False])
def test_what_is_refuted_covers_what_lies_beside_it_and_nothing_else(firmly: bool) -> None:
    refuted = Refuted()
    assert not refuted and not refuted.covers(HERE)
    refuted.add(HERE, firmly)
    assert refuted and refuted.covers(HERE) and refuted.covers(BESIDE) and not refuted.covers(ELSEWHERE)
    refuted.clear()
    assert not refuted and not refuted.covers(HERE)


def test_what_was_refuted_on_the_way_is_taken_back_once() -> None:
    """A goal 0.4 m from what had only looked like it was never seen again. What looks like it twice is none."""
    refuted = Refuted()
    refuted.add(HERE, firmly=False)
    assert refuted.take_back(BESIDE) and not refuted.covers(BESIDE)
    refuted.add(BESIDE, firmly=False)
    assert not refuted.take_back(HERE) and refuted.covers(HERE)


def test_what_cannot_be_got_to_is_never_taken_back() -> None:
    refuted = Refuted()
    refuted.add(HERE, firmly=True)
    assert not refuted.take_back(HERE) and refuted.covers(HERE)


def test_taking_one_back_leaves_the_others() -> None:
    refuted = Refuted()
    refuted.add(HERE, firmly=False)
    refuted.add(ELSEWHERE, firmly=False)
    assert refuted.take_back(HERE) and refuted.covers(ELSEWHERE)
