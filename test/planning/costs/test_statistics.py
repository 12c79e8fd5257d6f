"""Which cost decided."""

from __future__ import annotations

import torch

from ami_ros.planning.costs.statistics import cost_shares, deciding

NAMES = ["goal", "obstacles", "effort"]


def test_the_cost_that_kept_the_robot_from_the_shortest_way_decided() -> None:
    """The chosen detour is 0.5 m longer; straight on is what the obstacle forbids."""
    detour, straight = torch.tensor([1.5, 0.0, 0.1]), torch.tensor([[1.0], [5.0], [0.1]])
    shares = cost_shares(NAMES, detour, straight)
    assert [s.name for s in shares] == NAMES and deciding(shares) == "obstacles"
    assert {s.name: round(s.pull, 3) for s in shares} == {"goal": 0.0, "obstacles": 0.5, "effort": 0.0}
    assert [round(s.value, 3) for s in shares] == [1.5, 0.0, 0.1]


def test_if_the_choice_would_have_been_the_same_anyhow_none_decided() -> None:
    shares = cost_shares(NAMES, torch.tensor([1.0, 0.0, 0.0]), torch.tensor([[2.0], [1.0], [1.0]]))
    assert deciding(shares) == "" and all(s.pull == 0 for s in shares)
    assert deciding(()) == ""


def test_futures_that_are_not_finite_are_no_alternative() -> None:
    shares = cost_shares(NAMES, torch.tensor([1.0, 0.0, 0.0]), torch.tensor([[-torch.inf], [torch.nan], [0.0]]))
    assert all(s.pull >= 0 for s in shares)
