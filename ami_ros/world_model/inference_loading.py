"""Reads a trained model without torch; see `inference`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from ami_ros.errors import AmiError
from ami_ros.world_model.arrays import ArrayModel, Bytes
from ami_ros.world_model.identity import identify_model, model_folder
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.spec import RETIRED_WEIGHTS, Sensors

BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "calibration")  # are not learned


class HalfWeights(dict[str, NDArray[Any]]):
    """Weights as files have them, in half precision; each becomes float32 when it is first used."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = super().__getitem__(name)
        if found.dtype == np.float16:
            found = self[name] = found.astype(np.float32)
        return found


@dataclass(frozen=True)
class LoadedArrays:
    """A model for arrays, and who it is."""

    model: ArrayModel
    encoder_id: str
    sha256: str  # of all weights
    parameters: int  # numbers that were learned


def load_inference(named: str | Path) -> LoadedArrays:
    """Reads a model, which is named as for `model_folder`.

    Raises:
        AmiError: as `identify_model`, or the weights do not fit the configuration.
    """
    folder = model_folder(named)
    who = identify_model(folder)
    try:
        found = load_arrays((folder / "weights.safetensors").read_bytes())
        weights = HalfWeights({k: v for k, v in found.items() if not k.startswith(RETIRED_WEIGHTS)})
        _try(InferenceModel(who.spec, HalfWeights(weights)))
    except (SafetensorError, KeyError, ValueError) as error:
        raise AmiError(
            f"model {folder}: the weights do not fit config.yaml, they are another version's ({error}); "
            "use the version of ami_ros that wrote them, or train again"
        ) from error
    count = sum(values.size for name, values in weights.items() if not name.endswith(BUFFERS))
    return LoadedArrays(InferenceModel(who.spec, weights), who.encoder_id, who.sha256, count)


def _try(model: InferenceModel) -> None:
    """Computes everything once: with weights that do not fit, something fails."""
    spec, inputs = model.spec, model.spec.inputs
    latent, command = (np.zeros((1, n), np.float32) for n in (spec.latent_dim, spec.command_dim))
    if inputs.image_size:
        model.encode_goal(_blank(inputs.image_size))
    if spec.picture_size:
        code = model.encode_picture(_blank(spec.picture_size))
        if model.pairs is not None:
            model.pairs.compare(code, code)
    model.encode(Sensors(_blank(inputs.image_size), np.zeros((1, inputs.scan_beams), np.float32)))
    model.relative_pose(model.contrast.queries(latent) @ model.contrast.keys(latent).T * latent, latent)
    commands = np.zeros((1, 1, spec.chunk, spec.command_dim), np.float32)
    latents, _ = model.rollout(latent, commands, command)
    if spec.ensemble:
        model.path_disagreement(latent, latents, commands, command)


def _blank(size: int) -> Bytes:
    return np.zeros((1, 3, size, size), np.uint8)
