"""Model folders: config.yaml, weights.safetensors, card.md. Loading is strict; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors

from ami_ros.config import dump_yaml, to_mapping
from ami_ros.world_model.identity import CONFIG as CONFIG
from ami_ros.world_model.identity import FORMAT, read_model, write_atomically
from ami_ros.world_model.identity import WEIGHTS as WEIGHTS
from ami_ros.world_model.identity import LoadedModel as LoadedModel
from ami_ros.world_model.layers import Weights, check_fit
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec

# Begin the names of weights on which neither latents nor what memory makes of them depend.
DYNAMICS = ("predictor.", "motion.", "inverse_dynamics.")
LATER = ("heads.", "pairs.")


def save_model(folder: Path, name: str, model: WorldModel, start: LoadedModel | None = None) -> LoadedModel:
    """Writes config.yaml and weights.safetensors into `folder`; returns what loading them gives.

    Weights are stored in half precision: half the size, and latents change by less than 1e-2 of their deviation.

    Args:
        folder: is made where it is missing.
        name: of the model.
        model: any.
        start: from which the model was made; if both encode alike, their latents have one identity.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = _stored_weights(model)
    weights = save_tensors(stored)
    config = {"format": FORMAT, "name": name, "sha256": hashlib.sha256(weights).hexdigest()}
    if start is not None and _encoding(stored) == _encoding(_stored_weights(start.model)):
        config["latents_sha256"] = start.latents_sha256 or start.sha256
    elif model.spec.has_learned_heads or model.pairs is not None:
        config["latents_sha256"] = _digest(stored, LATER)
    config["spec"] = to_mapping(model.spec)
    write_atomically(folder / WEIGHTS, weights)
    write_atomically(folder / CONFIG, dump_yaml(config).encode())
    return load_model(folder)


def _stored_weights(model: WorldModel) -> dict[str, torch.Tensor]:
    return {k: _stored(v) for k, v in model.state_dict().items()}


def _encoding(stored: dict[str, torch.Tensor]) -> str:
    """Hash of the weights on which latents, and what memory makes of them, depend."""
    return _digest(stored, (*LATER, *DYNAMICS))


def _digest(stored: dict[str, torch.Tensor], without: tuple[str, ...]) -> str:
    return hashlib.sha256(save_tensors({k: v for k, v in stored.items() if not k.startswith(without)})).hexdigest()


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() else tensor


def load_model(named: Path | str) -> LoadedModel:
    """Reads a model, named as for `model_folder`.

    Raises:
        AmiError: as `read_model`.
    """
    return read_model(named, _made)


def _made(spec: ModelSpec, weights: Weights) -> WorldModel:
    model = WorldModel(spec)
    check_fit(weights, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
    model.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
    model.eval().requires_grad_(False)
    return model
