from __future__ import annotations

from typing import Any

import pytest

from ami_ros.app.buildings_run import chosen_methods
from ami_ros.errors import AmiError
from ami_ros.evaluation.building_figures import figures_of
from ami_ros.evaluation.building_trials import judged
from ami_ros.evaluation.trials import Trial
from ami_ros.planning.codes import Code


def drive(
    kind: Any, status: str, off: float, time: float = 20.0, code: int = 0, ambiguous: bool = False
) -> dict[str, Any]:
    """A row of a drive of 4 m that ended `off` [m] its goal."""
    trial = Trial(
        kind, (0, 0, 0), (4, 0, 0), 4.0, status, True, (4 - off, 0, 0), time, 0, 0, 0, code, "", allowance_s=90.0
    )
    return judged(trial) | {"ambiguous": ambiguous}


ROWS = [
    {"kind": "explore", "explored_share": 0.5, "collisions": 1},
    drive("near", "succeeded", 0.1),
    drive("far", "succeeded", 3.0),
    drive("far", "aborted", 3.0, code=int(Code.TIMEOUT)),
    drive("far", "succeeded", 0.2, time=95.0),
    drive("far", "succeeded", 2.0, ambiguous=True),
    drive("near", "aborted", 2.0, code=int(Code.GOAL_NOT_REMEMBERED), ambiguous=True),
    {"kind": "foreign", "claimed": True, "collisions": 0},
    {"kind": "foreign", "claimed": False, "collisions": 0},
]


def test_rates_count_what_was_truly_reached_in_time_and_ambiguous_goals_apart() -> None:
    figures = figures_of(ROWS)
    assert (figures["near"]["reached"], figures["near"]["n"]) == (1, 1)
    assert (figures["far"]["reached"], figures["far"]["n"]) == (0, 3)
    assert {"rate", "wilson_low", "wilson_high"} <= set(figures["far"])
    assert figures["ambiguous"] == {"n": 2, "reached": 0, "refused": 1, "claimed_wrong": 1}


def test_a_wrong_claim_is_a_false_success_also_of_an_ambiguous_goal() -> None:
    figures = figures_of(ROWS)
    assert figures["false_success"] == {"n": 2, "claims": 4, "rate": 0.5}
    assert figures["foreign"] == {"n": 2, "refused": 1, "claimed": 1}
    assert figures["unreached_codes"] == {"FALSE_SUCCESS": 2, "TIMEOUT": 1, "TOO_LATE": 1, "GOAL_NOT_REMEMBERED": 1}
    assert figures["collisions"] == 1 and figures["explored_share"] == 0.5


def test_nothing_driven_gives_no_rates() -> None:
    figures = figures_of([])
    assert figures["far"]["rate"] is None and figures["false_success"]["rate"] is None and figures["spl"] is None


def test_arms_are_chosen_by_name_and_the_course_is_always_driven() -> None:
    assert chosen_methods("exact_dynamics") == ("general", "exact_dynamics")
    with pytest.raises(AmiError, match="there is no method 'magic'"):
        chosen_methods("magic")
