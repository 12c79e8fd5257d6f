"""Model folders: config.yaml, weights.safetensors, card.md. Loading is strict; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors

from ami_ros.config import dump_yaml, to_mapping
from ami_ros.world_model.identity import CONFIG, FORMAT, WEIGHTS, read_model, write_atomically
from ami_ros.world_model.layers import Weights, check_fit
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, and who it is."""

    model: WorldModel
    name: str
    sha256: str  # of all weights
    latents_sha256: str = ""  # of the weights without those of learned heads; "": as `sha256`

    @property
    def encoder_id(self) -> str:
        """`name@first 12 hex digits of the weights' SHA-256`; latents of different ids must never be compared.

        Learned heads, and how pictures are compared, do not count: they change neither latents nor what memory makes
        of them.
        """
        return f"{self.name}@{(self.latents_sha256 or self.sha256)[:12]}"


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
    who, model = read_model(named, _made)
    return LoadedModel(model, who.encoder_id.rpartition("@")[0], who.sha256, who.latents_sha256)


def _made(spec: ModelSpec, weights: Weights) -> WorldModel:
    model = WorldModel(spec)
    check_fit(weights, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
    model.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
    model.eval().requires_grad_(False)
    return model


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in model.parameters())
