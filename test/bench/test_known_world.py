"""In a world that memory knows: tasks behind closed doors are what they claim to be; a drive during which something
goes wrong passes the states that it should, and arrives all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ami_ros.behaviour.recovery import RecoveryState
from ami_ros.bench.known_world import Disturbance, DisturbedLoop, DoorTask, Fault, doors_of, middle, sample_door_task
from ami_ros.bench.trials import Trial
from ami_ros.core.errors import AmiError
from ami_ros.planning.types import Code
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world
from harness.exact_model import IMAGE_SIZE
from harness.loops import EXACT, unhurried

WORLD = load_world("home")


def drive(memory_file: Path, disturbance: Disturbance) -> tuple[DisturbedLoop, Trial]:
    robot, start = Loopback("two_rooms", image_size=IMAGE_SIZE, seed=3), np.array([0.6, 0.6, 0.4])
    robot.reset(start)
    loop = DisturbedLoop(EXACT, cast(Simulator, robot), memory_file, unhurried(quick=True), 3)
    loop.disturb(disturbance)
    return loop, loop.drive("far", start, np.array([3.3, 2.4, 1.2]), 3.5, 90.0)


def test_an_ordinary_drive_passes_no_situation_but_being_calm(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("nothing"))
    states = [state for _, state, _ in loop.passed]
    assert trial.success and set(states) <= {RecoveryState.CALM, RecoveryState.WARY, RecoveryState.LOCALISING}
    assert states[-1] is RecoveryState.CALM


@pytest.mark.fault("pose jumps: somebody carries the robot away")
def test_a_robot_that_is_carried_away_looks_finds_itself_and_arrives(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("carried_away", 7.0, pose=np.array([0.6, 2.5, -1.0])))
    assert trial.success, (trial, loop.passed)
    after = [state for at, state, _ in loop.passed if at > 7.0]
    assert after[0] in (RecoveryState.WARY, RecoveryState.LOOKING) and RecoveryState.LOOKING in after
    assert after[-1] is RecoveryState.CALM
    assert all(reason for _, state, reason in loop.passed if state is not RecoveryState.CALM)


@pytest.mark.parametrize("kind", ["camera_covered", "wheels_slip"])
def test_a_camera_that_is_covered_and_wheels_that_slip_for_seconds_are_overcome(memory_file: Path, kind: Fault) -> None:
    loop, trial = drive(memory_file, Disturbance(kind, 7.0, 6.0))
    assert trial.success and trial.collisions == 0, (trial, loop.passed)
    after = {state for at, state, _ in loop.passed if at > 7.0}
    assert {RecoveryState.LOOKING, RecoveryState.BACKING, RecoveryState.LOCALISING} & after
    assert loop.passed[-1][1] is RecoveryState.CALM


def test_a_camera_that_stays_covered_ends_the_goal_with_a_code(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("camera_covered", 7.0, 999.0))
    assert trial.status == "aborted" and trial.still and trial.collisions == 0
    ends = (Code.SURPRISE_EXCEEDED, Code.STALE_OBSERVATION, Code.FAILED_TO_MAKE_PROGRESS, Code.TIMEOUT)
    assert trial.error_code in ends and trial.error_msg, loop.passed


def test_the_doors_of_a_room_are_those_at_its_edge() -> None:
    assert sorted(doors_of(WORLD, "bedroom")) == ["hall_bedroom", "kitchen_bedroom"]
    assert doors_of(WORLD, None) == []


@pytest.mark.parametrize("with_way", [True, False])
def test_a_task_has_another_way_or_none(with_way: bool) -> None:
    for seed in range(2):
        task = sample_door_task(WORLD, np.random.default_rng(seed), with_way)
        shut = FreeSpace(WORLD, {door.name: door.name not in task.closed for door in WORLD.doors})
        assert np.isfinite(shut.path_length(task.start, task.goal)) == with_way
        assert np.isfinite(FreeSpace(WORLD).path_length(task.start, task.goal))
        middles = [middle(door) for door in WORLD.doors if door.name in task.closed]
        assert middles and all(np.hypot(*(task.goal[:2] - m)) > 1.0 for m in middles)


def test_a_world_without_doors_has_no_such_task() -> None:
    with pytest.raises(AmiError, match="offers no goal behind a closed door"):
        sample_door_task(load_world("empty"), np.random.default_rng(0), True)


def test_without_a_way_success_is_to_give_up_in_time_with_a_code_and_touch_nothing(
    trial: Callable[..., Trial],
) -> None:
    task = DoorTask(np.zeros(3), np.array([3.0, 0.0, 0.0]), ("a",), np.inf)
    given_up: dict[str, Any] = {"status": "aborted", "time_s": 40.0, "error_code": 10309, "error_msg": "blocked"}
    assert task.kept_by(trial(**given_up))
    for change in ({"time_s": 61.0}, {"error_code": 0}, {"collisions": 1}, {"status": "succeeded"}):
        assert not task.kept_by(trial(**(given_up | change)))
    assert not DoorTask(task.start, task.goal, task.closed, 4.0).kept_by(trial(**given_up))
