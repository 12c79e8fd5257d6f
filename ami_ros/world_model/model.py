"""The world model by torch: what learns, and what adapts while driving."""

from __future__ import annotations

import copy

from ami_ros.world_model import torch_layers
from ami_ros.world_model.encoder import image_encoder
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.predictors import make_predictor
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import Learned


class WorldModel(Model, Learned):
    """See `Model`."""

    def __init__(self, spec: ModelSpec) -> None:
        Learned.__init__(self)
        Model.__init__(self, torch_layers, spec, image_encoder, make_predictor)
        self.heads.requires_grad_(False)  # they have no part in the training of the latents

    def private_copy(self) -> WorldModel:
        """The same model with `drive` and `colours` of its own; all networks, and so all latents, are shared."""
        own = copy.copy(self)
        own.__dict__["_buffers"] = self._buffers | {"drive": self.drive.clone(), "colours": self.colours.clone()}
        return own
