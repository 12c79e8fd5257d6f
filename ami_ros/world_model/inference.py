"""A trained model without torch: for processes that encode and foretell, and learn nothing.

Torch takes 190 MB of each process. What is computed at a time is small, one moment or some places, and takes as long
this way.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.world_model import layers
from ami_ros.world_model.arrays import AS_TRAINED, Bytes
from ami_ros.world_model.identity import LoadedModel, read_model
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.networks import ConvolutionEncoder, ResidualPredictor
from ami_ros.world_model.spec import ModelSpec


class ArrayModel:
    """What is asked by arrays: an `InferenceModel`, or by torch; both have the functions of `Model`."""

    colours: Any

    def seen(self, image: Bytes) -> Bytes:
        """As `Model.seen`, in whole steps."""
        if np.array_equal(self.colours, AS_TRAINED):
            return image
        return Model.seen(self, image).round().astype(np.uint8)  # type: ignore[arg-type,no-any-return]


class InferenceModel(ArrayModel, Model, layers.Module):
    """A `Model` whose encoder and predictor are the ones that ship.

    Args:
        spec: of the model.
        weights: by the names that files have.

    Raises:
        ValueError: the weights do not fit.
    """

    def __init__(self, spec: ModelSpec, weights: layers.Weights) -> None:
        def made(kind: type) -> Any:
            return lambda spec: layers.network(kind, spec)

        Model.__init__(self, layers, spec, made(ConvolutionEncoder), made(ResidualPredictor))
        self.load(weights)

    def private_copy(self) -> InferenceModel:
        """The same model with `drive` and `colours` of its own."""
        own = copy.copy(self)
        own.drive, own.colours = self.drive.copy(), self.colours.copy()
        return own


def load_inference(named: str | Path) -> LoadedModel:
    """Reads a model, which is named as for `model_folder`.

    Raises:
        AmiError: as `read_model`.
    """
    return read_model(named, InferenceModel)
