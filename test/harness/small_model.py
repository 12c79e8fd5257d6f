"""A model that has learned nothing, as small as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model


def save_small_model(folder: Path, image_size: int = 16, scan_beams: int = 8, **inputs: Any) -> Path:
    """Writes one into a folder, and returns that."""
    spec = InputSpec(image_size=image_size, scan_beams=scan_beams, **inputs)
    save_model(folder, "small", WorldModel(ModelSpec(spec, latent_dim=4, encoder_width=16, predictor_width=16)))
    return folder
