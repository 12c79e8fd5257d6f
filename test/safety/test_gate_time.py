"""The safety gate over time: clocks that stand still or are set back, emergency stops, and limits that change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from harness.gate import driving
from harness.scans import NOTHING

CONFIG = SafetyConfig()


def test_a_clock_that_stands_still_does_not_make_old_scans_and_commands_new() -> None:
    gate = SafetyGate(CONFIG)
    assert driving(gate, 7.0, 100.0).linear > 0
    assert driving(gate, 7.0, 100.3).linear > 0
    stopped = driving(gate, 7.0, 100.0 + CONFIG.clock_timeout + 0.01)
    assert (stopped.command, stopped.reason) == ((0.0, 0.0, 0.0), "clock stands still")
    assert driving(gate, 7.1, 100.5).linear > 0


@pytest.mark.fault("time pauses, is slow, or is missing")
def test_on_a_slow_clock_steady_time_ends_what_is_said_no_more() -> None:
    gate = SafetyGate(CONFIG)
    driving(gate, 7.0, 100.0)
    gate.command(0.3, 0.0, 7.01, steady=101.05)
    assert gate.output(7.01, 101.05).reason == "no scan"
    gate.scan(NOTHING, 7.02, steady=102.1)
    gate.output(7.02, 102.0)
    assert gate.output(7.02, 102.1).linear == 0.0


def test_a_clock_that_is_set_back_makes_it_forget() -> None:
    gate = SafetyGate(CONFIG)
    assert driving(gate, 1000.0).linear > 0
    assert gate.output(3.0).command == (0.0, 0.0, 0.0)
    assert driving(gate, 3.1).linear > 0


def test_a_command_is_as_old_as_its_stamp_says() -> None:
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 1.0)
    assert "old when it comes" in gate.command(0.3, 0.0, 1.0, stamp=0.5)
    assert gate.output(1.0).command == (0.0, 0.0, 0.0)
    assert gate.asked == (0.0, 0.0, 0.0)
    assert gate.command(0.3, 0.0, 1.02, stamp=0.8) == "" and gate.asked == (0.3, 0.0, 0.0)
    assert gate.output(1.02).linear > 0
    assert gate.output(1.05).linear > 0 and gate.output(1.15).command == (0.0, 0.0, 0.0)
    assert gate.command(0.3, 0.0, 1.2, stamp=9.0) == "" and gate.output(1.2).linear > 0
    gate.scan(NOTHING, 1.6)
    assert gate.output(1.6).command == (0.0, 0.0, 0.0)


def test_an_emergency_stop_ends_when_it_is_released_and_commands_from_before_do_not_come_back() -> None:
    gate = SafetyGate(CONFIG)
    driving(gate, 1.0)
    gate.emergency_stop()
    gate.stop()
    assert driving(gate, 1.1).reason == "emergency stop" and gate.output(1.1).guarantee == 7
    gate.release()
    assert gate.output(1.15).command == (0.0, 0.0, 0.0)
    assert driving(gate, 1.2).linear > 0


def test_while_it_is_held_nothing_passes() -> None:
    gate = SafetyGate(CONFIG)
    assert driving(gate, 1.0).linear > 0
    gate.held = True
    held = driving(gate, 1.1)
    assert (held.command, held.reason, held.guarantee) == ((0.0, 0.0, 0.0), "a node is missing", 8)
    gate.held = False
    assert driving(gate, 1.2).linear > 0


def test_limits_that_are_tightened_hold_from_the_next_command_on() -> None:
    gate = SafetyGate(CONFIG)
    for k in range(20):
        fast = driving(gate, 0.1 * k)
    assert fast.linear == 0.3
    gate.tighten(replace(CONFIG, max_linear=0.1))
    assert driving(gate, 2.0).linear == 0.1
