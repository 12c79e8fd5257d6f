"""Reads a trained model without torch; see `inference`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from ami_ros.errors import AmiError
from ami_ros.world_model.identity import identify_model, model_folder
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.spec import RETIRED_WEIGHTS

BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "calibration")  # are not learned


@dataclass(frozen=True)
class LoadedArrays:
    """A model for arrays, and who it is."""

    model: Model
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
        weights = {k: v for k, v in found.items() if not k.startswith(RETIRED_WEIGHTS)}
        model = InferenceModel(who.spec, weights)
    except (SafetensorError, KeyError, ValueError) as error:
        raise AmiError(
            f"model {folder}: the weights do not fit config.yaml, they are another version's ({error}); "
            "use the version of ami_ros that wrote them, or train again"
        ) from error
    count = sum(values.size for name, values in weights.items() if not name.endswith(BUFFERS))
    return LoadedArrays(model, who.encoder_id, who.sha256, count)
