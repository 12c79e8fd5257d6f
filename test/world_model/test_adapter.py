"""Adaptation: learns what the wheels make of commands, undoes what does harm, and never gives the trained model up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.world_model.adaptation import AdaptationConfig, Segment, adaptable
from ami_ros.world_model.adapter import COMPARED, Adapter
from ami_ros.world_model.torch_model import WorldModel

from .conftest import SLOW_LEFT, RandomDrive

LEARNED = {"drive": np.array(SLOW_LEFT, np.float32)}
QUICK = AdaptationConfig(period=0.2, rate=0.05, batch=16, recent=32)


def test_changed_wheels_are_learned_and_used_and_the_trained_model_stays(model: WorldModel, drive: RandomDrive) -> None:
    before = {name: values.copy() for name, values in adaptable(model).items()}
    adapter = Adapter(model, QUICK)
    drive.teach(adapter, 140, SLOW_LEFT)
    assert adapter.in_use and adapter.model.drive.detach().numpy() == pytest.approx(np.array(SLOW_LEFT), abs=0.15)
    trained, adapted = adapter.losses
    assert adapted < 0.3 * trained
    assert np.array_equal(adapter.weights_in_use["drive"], adapter.model.drive.detach())
    assert all(np.array_equal(before[name], values) for name, values in adaptable(model).items())


def test_robot_as_it_was_is_driven_by_the_trained_model_at_once(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    drive.teach(adapter, COMPARED, SLOW_LEFT)
    assert adapter.in_use
    drive.teach(adapter, COMPARED)
    assert not adapter.in_use and adapter.weights_in_use == {}


def test_robot_that_did_not_change_is_left_alone(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK)
    steps = drive.teach(adapter, 60)
    assert steps and not adapter.in_use
    assert adapter.model.drive.detach().numpy() == pytest.approx(np.eye(2), abs=0.1)


def test_step_that_does_harm_is_rolled_back(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, replace(QUICK, rate=300.0))
    steps = drive.teach(adapter, 40)
    assert steps and not any(step.kept for step in steps) and adapter.rolled_back == len(steps)
    assert all(step.loss_after > step.loss_before and "newest" in step.reason for step in steps)
    assert torch.equal(adapter.model.drive, torch.eye(2))


def test_frozen_takes_no_step_and_reverting_restores_the_trained_model(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    adapter.frozen = True
    assert not drive.teach(adapter, 40, SLOW_LEFT)
    assert adapter.in_use and np.array_equal(LEARNED["drive"], adapter.weights["drive"])
    version = adapter.version
    adapter.revert()
    assert not adapter.in_use and adapter.frozen and adapter.version > version
    assert all(np.array_equal(values, adaptable(model)[name]) for name, values in adapter.weights.items())


def test_what_was_learned_before_is_used_from_the_start(model: WorldModel) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    assert adapter.in_use and np.array_equal(adapter.weights_in_use["drive"], LEARNED["drive"])


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="batch must be 1 to recent"):
        AdaptationConfig(batch=64, recent=32)


def test_a_robot_that_stands_teaches_nothing(model: WorldModel) -> None:
    adapter = Adapter(model, QUICK)
    zero = np.zeros(8, np.float32)
    for k in range(100):
        assert adapter.observe(Segment(0.2 * k, zero, np.zeros(2), np.zeros((2, 2)), zero, np.zeros(3))) is None


def test_steps_keep_their_distance_in_time(model: WorldModel, drive: RandomDrive) -> None:
    steps = drive.teach(Adapter(model, replace(QUICK, period=2.0)), 60)
    assert min(np.diff([step.stamp for step in steps])) >= 2.0 - 1e-6


def test_a_robot_that_is_carried_off_now_and_then_unlearns_nothing(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK)
    for k, segment in enumerate(drive.segments(80)):
        far = segment.motion + (3.0 if k % 10 == 0 else 0.0)
        adapter.observe(replace(segment, motion=far, after=segment.after + np.float32(2.0 * (k % 10 == 0))))
    assert not adapter.in_use
    assert adapter.model.drive.detach().numpy() == pytest.approx(np.eye(2), abs=0.15)
