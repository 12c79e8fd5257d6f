"""Presets are whole: each is a model that can be built, saved, and described in a file."""

from __future__ import annotations

import pytest

from ami_ros.core.config import from_mapping, to_mapping
from ami_ros.world_model.learning.trainer import PRESETS, TrainingConfig
from ami_ros.world_model.torch_model import WorldModel


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_and_can_be_written_down(name: str) -> None:
    config = PRESETS[name]
    assert from_mapping(TrainingConfig, to_mapping(config)) == config
    assert (WorldModel(config.spec).goal_head is not None) == (name != "laser")  # goals are pictures


def test_the_presets_are_for_what_robots_have_to_see_by() -> None:
    onboard, laser = (PRESETS[name].spec.inputs for name in ("onboard", "laser"))
    assert onboard.scan_beams and onboard.image_size
    assert laser.scan_beams and not laser.image_size
