"""The `WorldModel` behind a model for arrays, for those who need gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ami_ros.world_model.by_torch import ByTorch
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.model import WorldModel


def on_tensors(model: Any) -> WorldModel | None:
    """A `WorldModel` that needs no gradients of its weights; None if that is no learned model.

    It has the `drive` of a model for arrays: what is adapted counts there too.
    """
    if isinstance(model, ByTorch):
        model = model.model
    if isinstance(model, WorldModel):
        return model
    if not isinstance(model, InferenceModel):
        return None
    made = WorldModel(model.spec)
    made.load_state_dict({name: torch.from_numpy(np.asarray(model.weights[name])) for name in model.weights})
    made.drive = torch.from_numpy(model.drive)
    return made.eval().requires_grad_(False)
