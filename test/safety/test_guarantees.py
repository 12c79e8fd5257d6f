"""What docs/safety.md guarantees, on robots that do their worst within its assumptions. `./ami bench gate` goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.bench.gate_drives import ATTENTIVE, FASTEST, RANGES, Clock, Drive, DriveKind, Fault, Lost, Outcome
from ami_ros.bench.gate_trials import drive
from ami_ros.safety.gate import SafetyGate

KINDS, FAULTS, CLOCKS, LOSSES = (get_args(each) for each in (DriveKind, Fault, Clock, Lost))
TRAITS = st.fixed_dictionaries({name: st.floats(*limits) for name, limits in RANGES.items()})
SEEDS = st.integers(0, 2**31 - 1)
SPEEDS = st.sampled_from(FASTEST)
BEAMS = st.integers(72, 720)
FEW = settings(max_examples=3, deadline=None)


def keeps_its_word(outcome: Outcome) -> bool:
    """Nothing was touched while it moved, no command was over a limit, not finite, without a scan, against a zone, or
    sped up too fast, and no area was entered that must not be, or driven near while nobody knew where it is."""
    return outcome.contact_speed is None and not outcome.broke_its_word


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, BEAMS, TRAITS, SPEEDS)
@FEW
def test_what_stands_is_not_touched(
    kind: DriveKind, seed: int, beams: int, traits: dict[str, float], fastest: float
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, beams=beams, traits=traits, fastest=fastest)))


def test_it_keeps_its_margin_from_what_has_gone_out_of_sight() -> None:
    """One drive of 3,368 of `./ami bench gate --seed 8405`: it crept backwards, to the edge of what it had seen to be
    free, and touched at 0.05 m/s what stood there."""
    traits = {
        "dead_time": 0.004553895876926318,
        "lag": 0.05418309420196969,
        "braking": 1.4085579118836966,
        "turning": 12.210152717264721,
        "slip": 0.9982474617725979,
        "scan_rate": 25.544780533600584,
        "latency": 0.19500823018988528,
        "jitter": 0.03060706968421749,
        "dropped": 0.24424734331651837,
        "holes": 0.022105684689603135,
        "noise": 0.000311427329281182,
        "view": 3.227170004958095,
        "ahead": 0.052591145566861425,
        "odometry_gain": 0.9977301677066067,
        "odometry_noise": 0.008541391519302161,
        "odometry_delay": 0.007294607913618743,
        "fault_at": 1.033696667073599,
    }
    assert keeps_its_word(drive(Drive(2020862463, "omnidirectional", beams=475, traits=traits)))


@pytest.mark.parametrize("fault", FAULTS[1:])
@given(SEEDS, st.sampled_from(KINDS), TRAITS, SPEEDS)
@FEW
def test_a_laser_that_fails_under_way_does_no_harm(
    fault: Fault, seed: int, kind: DriveKind, traits: dict[str, float], fastest: float
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, fault, traits=traits, fastest=fastest)))


def test_a_scan_that_was_found_old_is_not_believed_because_the_robot_stands_for_a_moment() -> None:
    """Found by the test above: a hanging laser was noticed, the robot stood, so nobody knew how far it had come since
    the scans before, the scan was believed again, and so it crept on, until it touched at 0.02 m/s."""
    still = {"turning": 4.0, "slip": 1.0, "odometry_gain": 1.0, "fault_at": 2.0, "cover_speed": 0.0}
    traits = {name: low for name, (low, _) in RANGES.items()} | still | {"scan_rate": 8.0, "view": 4.0, "braking": 1.0}
    assert keeps_its_word(drive(Drive(988011, "differential", "noisy_ring", traits=traits)))


@pytest.mark.parametrize("closing", [0.3, 0.5])
@given(SEEDS, st.sampled_from(KINDS), TRAITS)
@FEW
def test_what_comes_at_it_no_faster_than_was_said_is_not_driven_at(
    closing: float, seed: int, kind: DriveKind, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, closing=closing, traits=traits | ATTENTIVE)))


@pytest.mark.parametrize("closing", [0.5, 1.0])
@given(SEEDS, st.sampled_from(KINDS), TRAITS)
@FEW
def test_somebody_whom_a_tracker_sees_is_not_driven_at(
    closing: float, seed: int, kind: DriveKind, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, closing=closing, tracked=True, traits=traits | ATTENTIVE)))


@given(SEEDS, st.sampled_from(KINDS), st.sampled_from([0.25, 0.4, 0.6]), TRAITS)
@FEW
def test_readings_in_its_zones_stop_it_and_slow_it_down(
    seed: int, kind: DriveKind, zone: float, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, zone=zone, traits=traits)))


def test_a_late_scan_that_is_young_by_the_clock_of_the_gate_counts_for_zones() -> None:
    """One drive of `./ami bench gate --seed 34112`: the judge held scans against the gate that were older than those
    that it had to believe."""
    traits = {name: low for name, (low, _) in RANGES.items()} | ATTENTIVE
    traits |= {
        "dead_time": 0.014144325778544947,
        "lag": 0.02425234374012437,
        "braking": 1.7864461439301171,
        "turning": 19.862971461757496,
        "slip": 0.9800548124340086,
        "noise": 0.003537975846910546,
        "ahead": 0.11430854224929163,
        "odometry_gain": 1.0277237200568,
        "odometry_noise": 0.011964769734211112,
        "odometry_delay": 0.037874136154056756,
        "fault_at": 1.9504814025956447,
    }
    drawn = Drive(1444457038, "ackermann", "late", 282, closing=0.5, zone=0.5, clock="bursts", traits=traits)
    assert keeps_its_word(drive(drawn))


def test_readings_of_a_scan_that_is_doubted_count_for_zones_while_the_robot_turns() -> None:
    """One drive of `./ami bench gate --seed 918200`: a part of the laser hung, and the robot turned to see whether that
    changes. It turned at full speed, though readings in the outer zone allow 0.4 of it."""
    traits = {name: low for name, (low, _) in RANGES.items()} | ATTENTIVE
    traits |= {
        "dead_time": 0.00018588707016178318,
        "lag": 0.009350691837482552,
        "braking": 1.1197053443147096,
        "turning": 11.031763341289665,
        "slip": 1.0043726562114514,
        "scan_rate": 15.0,
        "latency": 0.05,
        "jitter": 0.02,
        "dropped": 0.0,
        "holes": 0.0,
        "noise": 0.0019988698978430307,
        "ahead": 0.1161283529750128,
        "odometry_gain": 0.9721494258295432,
        "odometry_noise": 0.01212527032923513,
        "odometry_delay": 0.020463321506514687,
        "fault_at": 2.3603730311396305,
        "cover_width": 5.872735488317303,
        "cover_speed": 1.4747271409711753,
        "ring_size": 4.8756691054438575,
        "leap": 294.2507076182168,
    }
    drawn = Drive(
        174047401, "differential", "sector_hangs", 443, closing=0.3, tracked=True, zone=0.3, keep_out=True, lost="old",
        traits=traits,
    )  # fmt: skip
    assert keeps_its_word(drive(drawn))


@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(FAULTS), TRAITS)
@FEW
def test_it_does_not_enter_where_it_must_not_go(
    seed: int, kind: DriveKind, fault: Fault, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, fault, keep_out=True, traits=traits)))


@pytest.mark.parametrize("cloud", [500, 10_000])
@given(SEEDS, TRAITS)
@settings(max_examples=2, deadline=None)
def test_what_only_a_second_sensor_sees_is_not_touched(cloud: int, seed: int, traits: dict[str, float]) -> None:
    assert keeps_its_word(drive(Drive(seed, cloud=cloud, traits=traits)))


@pytest.mark.parametrize("clock", CLOCKS[1:])
@given(SEEDS, TRAITS)
@FEW
def test_whatever_its_clock_does_it_does_not_speed_up_faster(clock: Clock, seed: int, traits: dict[str, float]) -> None:
    assert keeps_its_word(drive(Drive(seed, clock=clock, traits=traits)))


@pytest.mark.parametrize("lost", LOSSES[1:])
@given(SEEDS, TRAITS)
@settings(max_examples=2, deadline=None)
def test_while_it_is_not_known_where_areas_are_it_does_not_drive(
    lost: Lost, seed: int, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, keep_out=True, lost=lost, duration=10.0, traits=traits)))


def test_without_zones_and_areas_the_same_drives_would_break_them(monkeypatch: pytest.MonkeyPatch) -> None:
    drives = [Drive(seed, zone=0.6, keep_out=True) for seed in range(6)]
    monkeypatch.setattr("ami_ros.bench.gate_trials.SafetyGate", lambda config, zones: SafetyGate(config))
    monkeypatch.setattr("ami_ros.safety.keep_out.KeepOut.holds", lambda self, points: points[:, 0] > 1e9)
    outcomes = [drive(each) for each in drives]
    assert any(outcome.zone_breaches for outcome in outcomes) and any(outcome.entered for outcome in outcomes)


def test_a_robot_that_brakes_worse_than_was_said_does_touch_things() -> None:
    """The drives above mean something: the same ones with an assumption broken do harm."""
    weak = Drive(0).traits | {"braking": 0.12, "dead_time": 0.5, "turning": 20.0, "slip": 1.0, "scan_rate": 20.0}
    weak |= {"view": RANGES["view"][1]}
    assert any(drive(replace(Drive(seed, beams=120), traits=weak)).contact_speed for seed in range(12))
