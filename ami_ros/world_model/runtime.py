"""What a runtime of the dynamics leaves to the model itself."""

from __future__ import annotations

import torch
from torch import Tensor

from ami_ros.world_model.model import WorldModel


class Runtime:
    """Computes what a search asks for most by other means than the model's; gradients and learned heads by the model.

    Args:
        model: what imagines; not changed.
    """

    def __init__(self, model: WorldModel) -> None:
        self.spec, self.sighting = model.spec, model.sighting
        self.policy = model.policy
        self.disagreement, self.path_disagreement = model.disagreement, model.path_disagreement
        self._model = model

    @staticmethod
    def _wants_gradient(inputs: Tensor) -> bool:
        return torch.is_grad_enabled() and inputs.requires_grad
