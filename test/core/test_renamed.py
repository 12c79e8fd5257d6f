"""Old names that users may have in their files and scripts work for one release more, and say the new one."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ami_ros.bench.command import spelled_out
from ami_ros.core import renamed
from ami_ros.core.config import with_settings
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.ros.node.parameters import describe
from ami_ros.ros.nodes.memory import MemoryParameters
from ami_ros.ros.nodes.planner import PlannerParameters


@dataclass(frozen=True)
class Agent:
    memory: MemoryConfig = field(default_factory=MemoryConfig)


def test_every_new_name_of_a_parameter_is_one() -> None:
    known = [p.name for cls in (MemoryParameters, PlannerParameters) for p in describe(cls)]
    for old, new in renamed.PARAMETERS.items():
        assert any(name == new or name.startswith(new + ".") for name in known), new
        assert not any(name == old or name.startswith(old + ".") for name in known), old


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("memory.survey.closures.hypotheses.votes", "memory.front_end.loop_closure.hypotheses.votes"),
        ("memory.survey.relax_joins", "memory.front_end.optimise_after"),
        ("agent.navigator.situations.slow", "agent.navigator.recovery.slow"),
        ("memory.relax_growth", "memory.optimise_growth"),
        ("memory.spacing", "memory.spacing"),
        ("memory.survey_more", "memory.survey_more"),
    ],
)
def test_an_old_parameter_is_the_new_one(old: str, new: str) -> None:
    assert renamed.parameter(old) == new


def test_set_takes_an_old_key_and_warns() -> None:
    with pytest.warns(FutureWarning, match=r"'memory\.survey\.closures\.apart' is now called 'memory\.front_end\."):
        agent = with_settings(Agent(), ["memory.survey.closures.apart=9"])
    assert agent.memory.front_end.loop_closure.apart == 9.0


def test_old_arguments_of_bench_are_those_of_today() -> None:
    assert renamed.arguments("bench", ["situations", "--seed", "1"]) == ["recovery", "--seed", "1"]
    assert renamed.arguments("bench", ["situations", "--jobs=2"]) == ["recovery", "--jobs=2"]
    assert renamed.arguments("train", ["situations"]) == ["situations"]
    assert spelled_out(["recovery"])[0] == "scenario"
