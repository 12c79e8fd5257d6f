"""`ami bench latency`: one process drives nearly as promptly as several, in little memory; its load ends with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from ami_ros.bench.latency import busy, memory_figures
from ami_ros.bench.timing import ProcessCost
from harness import Children
from harness.waiting import wait_until

# Composed to separate, both on the same machine within a minute. Measured 1.0 to 1.5, idle and with ten other programs
# on two cores; 5 to 8 where threads fight for the interpreter's lock.
MOST_DELAY = 2.5
ATTEMPTS = 3  # other programs may slow down the one of the two and not the other
MOST_MEMORY = 520.0  # of the composed process, resident [MB]; 466 measured, 509 on one core, 600 with room for bounds
MOST_TOGETHER = 1500.0  # of the eight separate processes [MB]; 1355 measured, 2004 when four of them loaded torch


def burners() -> list[psutil.Process]:
    return [c for c in psutil.Process(os.getpid()).children() if "while True: pass" in c.cmdline()]


def test_other_programs_end_whatever_happens() -> None:
    with pytest.raises(ValueError, match="over"), busy(2):
        wait_until(lambda: len(burners()) == 2, what="two programs: one that was forked this moment has no name yet")
        raise ValueError("over")
    assert not burners()


def test_without_load_there_are_none() -> None:
    with busy(0):
        assert not burners()


def drive(children: Children, out: Path, *options: str) -> dict[str, Any]:
    """The figures of the shipped model, driving for a while with the real nodes."""
    code = (
        "import sys, ami_ros.ros.start.domain as d; d.claim_domain = lambda wanted: wanted;"
        "from ami_ros.cli.main import run; run(sys.argv[1:])"
    )
    settings = ["--minutes", "0.05", "--seed", "331902", "--domain-id", os.environ["ROS_DOMAIN_ID"]]
    bench = children.python("-c", code, "bench", "latency", *settings, "--json", str(out), *options)
    assert bench.wait(400) == 0, bench.output()
    figures: dict[str, Any] = json.loads(out.read_text())
    return figures


@pytest.mark.timeout(900)
def test_one_process_commands_nearly_as_soon_as_several_and_in_little_memory(
    children: Children, tmp_path: Path
) -> None:
    for _ in range(ATTEMPTS):
        composed = drive(children, tmp_path / "composed.json", "--composed")
        separate = drive(children, tmp_path / "separate.json")
        delays = [figures["image_to_command_p50_ms"] for figures in (composed, separate)]
        if delays[0] < MOST_DELAY * delays[1]:
            break
    assert delays[0] < MOST_DELAY * delays[1], f"image to command p50: composed, separate {delays} ms"
    assert composed["composed_rss_mb"] < MOST_MEMORY
    assert separate["processes"] == 8 and separate["all_rss_mb"] < MOST_TOGETHER


def test_memory_is_told_by_process_and_in_all() -> None:
    robots = [ProcessCost("planner", 7, 40.0, 300.0, 200.0), ProcessCost("safety", 8, 5.0, 80.0)]
    figures = memory_figures([*robots, ProcessCost("demo", 9, 6.0, 190.0, 130.0)])
    assert figures["planner_rss_mb"] == 300.0 and "safety_pss_mb" not in figures
    assert (figures["all_rss_mb"], figures["all_pss_mb"], figures["all_cpu_percent"]) == (380.0, 200.0, 45.0)
    assert figures["processes"] == 2 and figures["demo_rss_mb"] == 190.0  # the bench is none of the robot's
