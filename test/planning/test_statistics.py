"""Which cost decided."""

from __future__ import annotations

import numpy as np

from ami_ros.planning.costs import cost_shares, deciding

NAMES = ["goal", "obstacles", "effort"]


def test_the_cost_that_kept_the_robot_from_the_shortest_way_decided() -> None:
    """The chosen detour is 0.5 m longer; straight on is what the obstacle forbids."""
    detour, straight = np.array([1.5, 0.0, 0.1], np.float32), np.array([[1.0], [5.0], [0.1]], np.float32)
    shares = cost_shares(NAMES, detour, straight)
    assert [s.name for s in shares] == NAMES and deciding(shares) == "obstacles"
    assert {s.name: round(s.pull, 3) for s in shares} == {"goal": 0.0, "obstacles": 0.5, "effort": 0.0}
    assert [round(s.value, 3) for s in shares] == [1.5, 0.0, 0.1]


def test_if_the_choice_would_have_been_the_same_anyhow_none_decided() -> None:
    shares = cost_shares(NAMES, np.array([1.0, 0.0, 0.0], np.float32), np.array([[2.0], [1.0], [1.0]], np.float32))
    assert deciding(shares) == "" and all(s.pull == 0 for s in shares)
    assert deciding(()) == ""


def test_futures_that_are_not_finite_are_no_alternative() -> None:
    others = np.array([[-np.inf, 9.0], [np.nan, 0.0], [0.0, 0.0]], np.float32)
    shares = cost_shares(NAMES, np.array([1.0, 0.0, 0.0], np.float32), others)
    assert [s.pull for s in shares] == [0.0, 0.0, 0.0]
