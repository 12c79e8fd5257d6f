"""A small data set, and a model for it."""

from __future__ import annotations

import pytest

from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.fleet import fleet_data
from harness.smooth_drives import dataset

__all__ = ["dataset", "fleet_data"]

TINY = ModelSpec(
    InputSpec(image_size=16, scan_beams=0),
    latent_dim=16,
    encoder_width=64,
    predictor_width=64,
    head_width=96,
    contrast_dim=16,
)


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    """A model for the data set, small enough to be trained in seconds."""
    return TINY
