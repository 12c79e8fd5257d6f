"""What a process of nodes does once they are active."""

from __future__ import annotations

import subprocess
import sys

import pytest

GROWTH = """
import sys
import numpy as np
from pathlib import Path
from ami_ros.ros.node.process import settle

def private():
    resident, shared = (int(value) for value in Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * 4096 / 1e6

if sys.argv[1] == "settled":
    settle()
sizes = np.random.default_rng(0).permutation(np.arange(1, 1024))
before = private()
for _ in range(3):
    for size in sizes:
        kept = [np.empty(size, np.uint8) for _ in range(7)]
        del kept
print(private() - before)
"""


@pytest.mark.parametrize("state", ["settled", "new"])
def test_a_settled_process_has_all_the_small_blocks_that_numpy_keeps(state: str) -> None:
    """Until it had, a node grew by one or two megabytes an hour, for hours, as if it leaked."""
    grown = float(subprocess.run([sys.executable, "-c", GROWTH, state], check=True, capture_output=True).stdout)
    assert grown < 0.5 if state == "settled" else grown > 2.0


HOLES = """
import numpy as np
from pathlib import Path
from ami_ros.core.geometry import relative
from ami_ros.memory.pose_graph import Measurements, PoseGraphConfig, optimise, roots
from ami_ros.ros.node.process import give_back

def private():
    resident, shared = (int(value) for value in Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * 4096 / 1e6

rng, count = np.random.default_rng(0), 800
poses = np.cumsum(rng.normal(0, 0.3, (count, 3)), 0)
start = np.repeat(np.arange(count - 8), 12)
stop = start + rng.integers(1, 8, len(start))
optimise(poses, [Measurements(start, stop, relative(poses[start], poses[stop]), roots((0.1, 0.1), len(start)))],
      PoseGraphConfig())
before = private()
give_back()
print(before - private())
"""


def test_what_relaxing_a_map_took_is_given_back() -> None:
    """After a map of a thousand places memory held 20 MB that nothing was in, and more after each larger one."""
    assert float(subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True).stdout) > 3.0


ASK = """
import os
from ami_ros.ros.node.process import be_urgent
granted = be_urgent({niceness})
print(granted, os.getpriority(os.PRIO_PROCESS, 0))
"""


def answer(niceness: int) -> tuple[bool, int]:
    """In a process of its own, for what was asked for cannot be taken back."""
    code = ASK.format(niceness=niceness)
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return output[0] == "True", int(output[1])


@pytest.mark.parametrize("niceness", [-5, 3])
def test_the_priority_is_what_was_asked_for_or_what_it_was(niceness: int) -> None:
    (_, before), (granted, after) = answer(0), answer(niceness)
    assert after == (niceness if granted else before)
    assert granted or niceness < 0  # to be less urgent is always allowed


def test_what_is_settled_is_left_to_itself_by_the_garbage_collector() -> None:
    code = "import gc; from ami_ros.ros.node.process import settle; settle(); print(gc.get_freeze_count() > 1000)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "True"
