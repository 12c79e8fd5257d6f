"""Tasks behind closed doors are what they claim to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.bench.known_world import GIVE_UP, KEEP_OFF, DoorTrial, Task, doors_of, middle, sample_task
from ami_ros.bench.trials import Trial
from ami_ros.core.errors import AmiError
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world

WORLD = load_world("home")


def test_the_doors_of_a_room_are_those_at_its_edge() -> None:
    assert sorted(doors_of(WORLD, "bedroom")) == ["hall_bedroom", "kitchen_bedroom"]
    assert doors_of(WORLD, None) == []


@pytest.mark.parametrize("with_way", [True, False])
def test_a_task_has_another_way_or_none(with_way: bool) -> None:
    for seed in range(2):
        task = sample_task(WORLD, np.random.default_rng(seed), with_way)
        shut = FreeSpace(WORLD, {door.name: door.name not in task.closed for door in WORLD.doors})
        assert np.isfinite(shut.path_length(task.start, task.goal)) == with_way
        assert np.isfinite(FreeSpace(WORLD).path_length(task.start, task.goal))
        middles = [middle(door) for door in WORLD.doors if door.name in task.closed]
        assert middles and all(np.hypot(*(task.goal[:2] - m)) > KEEP_OFF for m in middles)


def test_a_world_without_doors_has_no_such_task() -> None:
    with pytest.raises(AmiError, match="offers no goal behind a closed door"):
        sample_task(load_world("empty"), np.random.default_rng(0), True)


GIVEN_UP = Trial(
    kind="far", start=(0.0, 0.0, 0.0), goal=(3.0, 0.0, 0.0), path_length_m=3.0, status="aborted", still=True,
    final=(1.0, 0.0, 0.0), time_s=40.0, collisions=0, replans=3, recoveries=0, error_code=10309, error_msg="blocked",
    allowance_s=90.0,
)  # fmt: skip


def test_without_a_way_success_is_to_give_up_in_time_with_a_code_and_touch_nothing() -> None:
    task = Task(np.zeros(3), np.array([3.0, 0.0, 0.0]), ("a",), np.inf)
    assert DoorTrial(task, GIVEN_UP).success
    for change in ({"time_s": GIVE_UP + 1}, {"error_code": 0}, {"collisions": 1}, {"status": "succeeded"}):
        assert not DoorTrial(task, replace(GIVEN_UP, **change)).success  # type: ignore[arg-type]
    assert not DoorTrial(replace(task, way=4.0), GIVEN_UP).success
