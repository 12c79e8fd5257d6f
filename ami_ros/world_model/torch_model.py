"""The world model by torch: what learns and adapts, what plugins derive from, and how its folder is written."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from ami_ros.core.config import dump_yaml, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import ENCODERS, PREDICTORS, find_plugin
from ami_ros.world_model import networks, torch_layers
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.layers import Weights, check_fit
from ami_ros.world_model.model_files import CONFIG, FORMAT, WEIGHTS, LoadedModel, read_model, write_atomically
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import Learned, learned

ConvolutionEncoder: Any = learned(networks.ConvolutionEncoder)


def image_encoder(spec: ModelSpec) -> Any:
    """An image branch as `spec` wants it: (batch, 3, size, size) uint8 -> (batch, encoder_width).

    Other packages name theirs by entry points of the group `ami_ros.encoders`: a module that is made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    return find_plugin(ENCODERS, spec.image_encoder, {"conv": ConvolutionEncoder})(spec)


# `conditions` and `advance` are for those to write who derive from it; and `begin`, if it remembers.
Predictor: Any = learned(networks.Predictor)


def make_predictor(spec: ModelSpec) -> Any:
    """The predictor that `spec` names, untrained.

    Other packages name theirs by entry points of the group `ami_ros.predictors`: a `Predictor` made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    return find_plugin(PREDICTORS, spec.predictor, {"mlp": learned(networks.ResidualPredictor)})(spec)


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


def save_model(folder: Path, name: str, model: WorldModel, start: LoadedModel | None = None) -> LoadedModel:
    """Writes config.yaml and weights.safetensors into `folder`; returns what loading them gives.

    Weights are stored in half precision: half the size, and latents change by less than 1e-2 of their deviation.

    Args:
        folder: is made where it is missing.
        name: of the model.
        model: any.
        start: from which the model was made; if both encode alike, their latents have one identity.
    """

    def stored(of: WorldModel) -> dict[str, torch.Tensor]:
        weights = {k: tensor.detach().cpu().contiguous() for k, tensor in of.state_dict().items()}
        return {k: tensor.half() if tensor.is_floating_point() else tensor for k, tensor in weights.items()}

    def digest(weights: dict[str, torch.Tensor], *without: str) -> str:
        return hashlib.sha256(save_tensors({k: v for k, v in weights.items() if not k.startswith(without)})).hexdigest()

    folder.mkdir(parents=True, exist_ok=True)
    own = stored(model)
    content = save_tensors(own)
    config = {"format": FORMAT, "name": name, "sha256": hashlib.sha256(content).hexdigest()}
    # On these neither latents nor what memory makes of them depend.
    later = ("heads.", "pairs.", "predictor.", "motion.", "inverse_dynamics.")
    if start is not None and digest(own, *later) == digest(stored(start.model), *later):
        config["latents_sha256"] = start.latents_sha256 or start.sha256
    elif model.spec.ensemble or model.pairs is not None:
        config["latents_sha256"] = digest(own, "heads.", "pairs.")
    config["spec"] = to_mapping(model.spec)
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / CONFIG, dump_yaml(config).encode())
    return load_model(folder)


def load_model(named: Path | str) -> LoadedModel:
    """Reads a model, named as for `model_folder`. Loading is strict, and nothing is ever unpickled.

    Raises:
        AmiError: as `read_model`.
    """

    def made(spec: ModelSpec, weights: Weights) -> WorldModel:
        model = WorldModel(spec)
        check_fit(weights, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
        model.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
        model.eval().requires_grad_(False)
        return model

    return read_model(named, made)


def without_camera(model: WorldModel) -> WorldModel:
    """The same model for robots without a camera, in evaluation mode; its latents are of a kind of their own.

    Its image is always grey. The features of a grey picture are numbers that never change, so they go into the bias of
    the layer that joins the inputs, and the image branch is no longer needed. Latents are exactly those of the model
    with a grey image; nothing is trained again.

    Raises:
        AmiError: it has no image input, or no other.
    """
    spec, inputs, width = model.spec, model.spec.inputs, model.spec.encoder_width
    if not inputs.image_size:
        raise AmiError("the model does without a camera already")
    if not inputs.scan_beams:
        raise AmiError("the model knows nothing but pictures, so nothing is left without a camera")
    others = replace(inputs, image_size=0, field_of_view=0.0, narrowest=0.0)
    blind = WorldModel(replace(spec, inputs=others, image_encoder="conv", sight_code=0, pair_size=0))
    with torch.inference_mode():
        grey = torch.full((1, 3, inputs.image_size, inputs.image_size), 127, dtype=torch.uint8)
        features = model.encoder.features(grey)
    weights = {name: values for name, values in model.state_dict().items() if name in blind.state_dict()}
    join = "encoder.join.0"  # takes the features of all inputs, those of the image first
    joining = weights[f"{join}.weight"]
    weights[f"{join}.weight"] = joining[:, width:]
    weights[f"{join}.bias"] = weights[f"{join}.bias"] + joining[:, :width] @ features[0].clone()
    blind.load_state_dict(weights)
    blind.eval().requires_grad_(False)
    return blind
