"""What a process asks of the machine: granted where that is allowed, no error where it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
