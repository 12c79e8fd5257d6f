"""A drive during which something goes wrong: which states the robot passes, and that it arrives all the same."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.recovery import RecoveryState
from ami_ros.bench.closed_loop import LoopConfig
from ami_ros.bench.known_world import Disturbance, DisturbedLoop, Kind
from ami_ros.bench.trials import Trial
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.solvers import SolverConfig
from ami_ros.planning.types import Code
from ami_ros.runtime.graph import AgentConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from harness.exact_model import IMAGE_SIZE, latent_of

from .test_closed_loop import EXACT, MEMORY, TOUR

QUICK = PlannerConfig(deadline=60.0, solver=SolverConfig(samples=48, iterations=2))
START, GOAL = np.array([0.6, 0.6, 0.4]), np.array([3.3, 2.4, 1.2])


@pytest.fixture(scope="module")
def memory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory of both rooms of `two_rooms`, driven through in both directions."""
    path = tmp_path_factory.mktemp("memory") / "memory.db"
    memory = PlaceMemory(EXACT.model, EXACT.encoder_id, path, MEMORY)
    corners, stamp = np.array([*TOUR, *TOUR[-2::-1]]), 0.0
    for a, b in zip(corners[:-1], corners[1:], strict=True):
        steps = max(1, round(float(np.hypot(*(b - a))) / 0.12))
        for k in range(steps):
            pose = np.array([*(a + (b - a) * k / steps), np.arctan2(*(b - a)[::-1])])
            memory.observe(stamp, latent_of(pose), pose)
            stamp += 0.2
    memory.close()
    return path


def drive(memory_file: Path, disturbance: Disturbance, allowance: float = 90.0) -> tuple[DisturbedLoop, Trial]:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE, seed=3)
    robot.reset(START)
    config = LoopConfig(agent=AgentConfig(navigator=NavigatorConfig(planner=QUICK), memory=MEMORY))
    loop = DisturbedLoop(EXACT, cast(Simulator, robot), memory_file, config, 3)
    loop.disturb(disturbance)
    return loop, loop.drive("far", START, GOAL, 3.5, allowance)


def test_an_ordinary_drive_passes_no_situation_but_being_calm(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("nothing"))
    assert trial.success
    assert set(loop.states) <= {RecoveryState.CALM, RecoveryState.WARY, RecoveryState.LOCALISING}
    assert loop.states[-1] is RecoveryState.CALM


@pytest.mark.fault("pose jumps: somebody carries the robot away")
def test_a_robot_that_is_carried_away_looks_finds_itself_and_arrives(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("carried_away", 7.0, pose=np.array([0.6, 2.5, -1.0])))
    assert trial.success, (trial, loop.passed)
    after = [state for at, state, _ in loop.passed if at > 7.0]
    assert after[0] in (RecoveryState.WARY, RecoveryState.LOOKING) and RecoveryState.LOOKING in after
    assert after[-1] is RecoveryState.CALM
    assert all(reason for _, state, reason in loop.passed if state is not RecoveryState.CALM)


@pytest.mark.parametrize("kind", ["camera_covered", "wheels_slip"])
def test_a_camera_that_is_covered_and_wheels_that_slip_for_seconds_are_overcome(memory_file: Path, kind: Kind) -> None:
    loop, trial = drive(memory_file, Disturbance(kind, 7.0, 6.0))
    assert trial.success and trial.collisions == 0, (trial, loop.passed)
    assert {RecoveryState.LOOKING, RecoveryState.BACKING, RecoveryState.LOCALISING} & {
        state for at, state, _ in loop.passed if at > 7.0
    }
    assert loop.states[-1] is RecoveryState.CALM


def test_a_camera_that_stays_covered_ends_the_goal_with_a_code(memory_file: Path) -> None:
    loop, trial = drive(memory_file, Disturbance("camera_covered", 7.0, 999.0))
    assert trial.status == "aborted" and trial.still and trial.collisions == 0
    ends = (Code.SURPRISE_EXCEEDED, Code.STALE_OBSERVATION, Code.FAILED_TO_MAKE_PROGRESS, Code.TIMEOUT)
    assert trial.error_code in ends and trial.error_msg, loop.passed
