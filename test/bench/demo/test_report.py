import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ami_ros.bench.demo.client import Leg, Telemetry
from ami_ros.bench.demo.report import DemoTable, control_line
from ami_ros.bench.timing import ControlRecord, ProcessCost
from ami_ros.bench.trials import GoalKind, SampledGoal, Trial


def drive(kind: GoalKind = "near", status: str = "succeeded", **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "still": True, "final": (1.0, 0.1, 0.1), "time": 7.25, "collisions": 0, "error_msg": "",
    } | changes  # fmt: skip
    return Trial(kind, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 1.0, status, values["still"], values["final"], values["time"],
                 values["collisions"], 9, 0, 0, values["error_msg"], allowance_s=30.0)  # fmt: skip


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_finished_goal_is_one_line_where_there_is_no_terminal(console: Console) -> None:
    with DemoTable(console, 2) as table:
        table.update(None, Telemetry())
        table.finished(0, drive())
        table.finished(1, drive("far", "aborted", collisions=1, error_msg="no way [blocked] is known"))
    first, second = written(console).splitlines()
    assert first.startswith("✓ goal  1/2 near") and "7.2 s  0.10 m    6° off" in first
    assert second.startswith("✗ goal  2/2 far")
    assert second.endswith("1 contact  aborted: no way [blocked] is known")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"final": (2.0, 0.0, 0.0)}, "the robot says it arrived; it is not there"),
        ({"still": False}, "the robot says it arrived; it still moves"),
        ({"time": 30.04}, "it arrived, but after the 30 s allowed"),
    ],
)
def test_line_of_a_goal_that_only_seems_reached_says_why(console: Console, change: dict[str, Any], reason: str) -> None:
    DemoTable(console, 1).finished(0, drive(**change))
    assert reason in written(console)


def test_summary_has_rates_with_intervals_and_processes(console: Console) -> None:
    trials = [drive(), drive("far"), drive("far", "aborted")]
    control = ControlRecord().to_json()
    DemoTable(console, 3).summary(trials, control, [ProcessCost("planner", 1, 41.0, 310.0)])
    text = written(console)
    near, far = (next(line for line in text.splitlines() if line.startswith(kind)) for kind in ("near", "far"))
    assert "1/1 = 100 % (21 to 100 %)" in near and "1/2 = 50 % (9 to 91 %)" in far
    assert "planner" in text and "310" in text


def test_control_line_tells_rate_gap_and_latency() -> None:
    record = ControlRecord()
    for k in range(21):
        record.command(0.1 * k, 0.1 * k)
        record.observation(0.1 * k, 0.05)
    record.end()
    line = control_line(record.to_json(), 1)
    assert line == "commands at 10.0 Hz, longest gap 0.10 s · image to command p50 50 ms, p95 50 ms · 1 contact"


def test_a_terminal_shows_what_goes_on() -> None:
    leg = Leg(1, SampledGoal("far", np.zeros(3), 4.0), 0.0, 90.0)
    for now, telemetry, words in (
        (None, Telemetry(state="CONTROLLING", decision="turning to look"), "turning to look"),
        (leg, Telemetry(12.0, state="PLANNING"), "goal 2/3 far, 12 of 90 s: planning"),
    ):
        console = Console(file=io.StringIO(), width=120, force_terminal=True)
        with DemoTable(console, 3) as table:
            table.update(now, telemetry)
        assert words in written(console)
