"""What somebody who listens hears of the robots of a site."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ami_ros.memory.sharing.letters import Kind, Letter, SiteStatus


def state(robot: str, site: str = "ward", stamp: float = 100.0, **content: Any) -> Letter:
    return Letter(site, robot, "", stamp, Kind.STATE, {"encoder": "abc"} | content)


def test_a_line_says_what_each_robot_has_of_the_others() -> None:
    status = SiteStatus()
    status.take(
        state("amr1", holds={"amr1": [7, 12, 111, "x"], "amr2": [3, 30, 222, "x"], "amr9": [1, 5, 9, "x"]}), 100.0
    )
    status.take(state("amr2", holds={"amr2": [3, 30, 222, "x"], "amr1": [6, 10, 99, "x"]}), 100.0)
    status.take(state("amr3", holds={"amr3": [3, 0, 0, "x"], "amr1": [6, 12, 99, "x"]}), 100.0)
    status.take(state("lab", site="lab", holds={"lab": [1, 1, 1, "x"]}, refused={"odd": "its model is another"}), 100.0)
    assert status.lines() == [
        "lab  lab: 1 places; copies: none",
        "    refuses odd: its model is another",
        "ward  amr1: 12 places; copies: amr2: all 30, amr3: all 0, amr9 (away): 5",
        "ward  amr2: 30 places; copies: amr1: 10 of 12, amr3: all 0",
        "ward  amr3: 0 places; copies: amr1: all 12, with changes to come, amr2: 0 of 30",
    ]


def test_a_table_has_the_same_for_a_page_and_when_each_was_heard() -> None:
    status = SiteStatus()
    status.take(state("amr1", holds={"amr1": [7, 12, 111, "x"], "amr9": [1, 5, 9, "x"]}), 100.0)
    status.take(state("amr2", holds={"amr2": [3, 30, 222, "x"]}, refused={"odd": "its model is another"}), 160.04)
    assert json.loads(json.dumps(status.table())) == [
        {"name": "amr1", "site": "ward", "places": 12, "heard": 100.0, "refused": [],
         "copies": [["amr2", "0 of 30"], ["amr9 (away)", "5"]]},
        {"name": "amr2", "site": "ward", "places": 30, "heard": 160.0, "refused": [["odd", "its model is another"]],
         "copies": [["amr1", "0 of 12"]]},
    ]  # fmt: skip


def test_it_tells_how_far_a_clock_is_ahead() -> None:
    status = SiteStatus()
    status.take(state("amr1", stamp=160.0, holds={"amr1": [7, 12, 111, "x"]}), 100.0)
    assert status.robots["amr1"].clock_ahead == 60.0


@pytest.mark.parametrize("content", [{}, {"holds": 3}, {"holds": {"amr2": [1, 2, 3, "x"]}}, {"holds": {"amr1": "abc"}}])
def test_a_letter_that_makes_no_sense_counts_for_nothing(content: dict[str, Any]) -> None:
    status = SiteStatus()
    status.take(state("amr1", **content), 100.0)
    assert status.robots == {}
