"""`ami bench soak`: what counts as unsafe, and what as grown; the run itself with real processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ami_ros.bench.soak import ProcessLog, SoakRecord, verdict
from harness.processes import Children


@pytest.mark.timeout(600)
def test_it_drives_and_leaves_nothing(children: Children, tmp_path: Path) -> None:
    code = (
        "import sys, ami_ros.ros.start.domain as d; d.claim_domain = lambda wanted: wanted;"
        "from ami_ros.cli.main import run; run(sys.argv[1:])"
    )
    options = ["--minutes", "0.1", "--domain-id", os.environ["ROS_DOMAIN_ID"], "--json", str(tmp_path / "soak.json")]
    bench = children.python("-c", code, "bench", "soak", *options)
    assert bench.wait(500) == 0, bench.output()
    figures = json.loads((tmp_path / "soak.json").read_text())
    assert figures["soak_commands"] > 20 and figures["soak_goals_sent"] >= 1
    assert figures["soak_commands_unsafe"] == figures["soak_processes_left"] == 0


def test_memory_that_grows_is_told_by_the_hour() -> None:
    log = ProcessLog(os.getpid())
    log.sample(0.0)
    assert log.samples[0][1] > log.samples[0][2] > 1.0 and log.samples[0][3] >= 1
    log.samples = [
        (60.0 * k, 100.0 + (50.0 if k < 5 else 0.1 * k), 50.0 + 0.01 * k, 3, 10 + (k > 15)) for k in range(20)
    ]
    figures = log.figures("planner")
    assert figures["planner_rss_slope_mb_h"] == pytest.approx(6.0)
    assert figures["planner_private_slope_mb_h"] == pytest.approx(0.6)
    assert (figures["planner_threads_grown"], figures["planner_descriptors_grown"]) == (0, 1)


def test_what_a_process_takes_once_is_no_slope() -> None:
    """Half a megabyte in the middle of an hour's quiet part was one and a half an hour."""
    log = ProcessLog(os.getpid())
    log.samples = [(60.0 * k, 80.0 + 0.5 * (k > 25), 40.0 + 0.5 * (k > 25), 3, 10) for k in range(40)]
    figures = log.figures("safety")
    assert abs(figures["safety_rss_slope_mb_h"]) < 0.01 and abs(figures["safety_private_slope_mb_h"]) < 0.01
    assert figures["safety_rss_grown_mb"] == 0.5


def test_unsafe_commands_are_added_up_by_kind() -> None:
    record = SoakRecord()
    record.unsafe.update({"not finite": 1, "while a node is missing": 2})
    figures = record.figures(0)
    assert figures["soak_commands_unsafe"] == 3 and figures["soak_commands_while_a_node_is_missing"] == 2


def test_each_floor_has_a_verdict_and_short_runs_none_on_memory() -> None:
    record, said = SoakRecord(stops=[0.3, 0.7]), list[str]()
    log = record.logs["planner"] = ProcessLog(os.getpid())
    log.samples = [(60.0 * k, 100.0 + 0.1 * k, 50.0, 3, 10 + (k > 9)) for k in range(16)]
    short = verdict(record.figures(0), said.append)
    assert any("kill_to_zero" in line and line.endswith("broken; is the machine busy?") for line in said)
    assert short["soak_commands_unsafe"] and short["soak_kill_to_zero_max_s"] and short["planner_threads_grown"]
    assert not short["planner_descriptors_grown"] and "planner_rss_slope_mb_h" not in short
    log.samples += [(60.0 * k, 100.0 + 0.1 * k, 50.0, 3, 11) for k in range(16, 31)]
    assert not verdict(record.figures(0))["planner_rss_slope_mb_h"]
