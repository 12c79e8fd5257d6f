"""What nodes ask of a model, in arrays: by `inference.InferenceModel`, or, of other packages' models, by torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.layers import Floats as Floats
from ami_ros.world_model.spec import ModelSpec, Sensors

Bytes = NDArray[np.uint8]

AS_TRAINED = np.array([[1.0, 0.0]] * 3, np.float32)  # colours: gain 1 and offset 0 of each
MIDDLE = 127.5  # grey, about which a camera's gain is taken: so it and the offset hardly depend on each other


class ArrayCritic(ABC):
    """Compares latents: the product of a query and a key, both of unit length, says how alike they are."""

    temperature: float

    @abstractmethod
    def queries(self, latents: Floats) -> Floats:
        """(n, latent_dim) -> (n, contrast_dim)."""

    @abstractmethod
    def keys(self, latents: Floats) -> Floats:
        """(n, latent_dim) -> (n, contrast_dim)."""


class ArrayModel(ABC):
    """The functions of `WorldModel` of the same names, on float32, without gradients."""

    spec: ModelSpec

    @property
    @abstractmethod
    def contrast(self) -> ArrayCritic: ...
    @property
    @abstractmethod
    def pairs(self) -> ArrayPairs | None: ...
    @property
    @abstractmethod
    def sighting(self) -> Callable[[Floats, Floats, Floats], Floats] | None: ...
    @property
    @abstractmethod
    def colours(self) -> Floats: ...

    @property
    @abstractmethod
    def drive(self) -> Floats: ...

    @abstractmethod
    def private_copy(self) -> ArrayModel: ...
    @abstractmethod
    def encode(self, sensors: Sensors) -> Floats: ...
    @abstractmethod
    def encode_goal(self, image: Bytes) -> Floats: ...
    @abstractmethod
    def encode_picture(self, image: Bytes) -> Floats: ...
    @abstractmethod
    def relative_pose(self, first: Floats, second: Floats) -> Floats: ...
    @abstractmethod
    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]: ...
    @abstractmethod
    def path_disagreement(self, latent: Floats, latents: Floats, commands: Floats, previous: Floats) -> Floats: ...

    def disagreement(self, latent: Floats, chunk: Floats, previous: Floats) -> Floats:
        """As `WorldModel.disagreement`."""
        return self.path_disagreement(latent, latent[:, None], chunk[:, None], previous)[:, 0]

    def seen(self, image: Bytes) -> Bytes:
        """What this robot's camera sees (batch, 3, size, size), as that of the training data would have seen it."""
        if np.array_equal(self.colours, AS_TRAINED):
            return image
        gain, offset = self.colours[:, 0, None, None], self.colours[:, 1, None, None]
        return ((image - np.float32(MIDDLE)) * gain + MIDDLE + 255 * offset).clip(0, 255).round().astype(np.uint8)


def accumulated(disagreement: Any) -> Any:
    """Errors to expect after each step of a rollout (batch, steps), of those that each step adds; arrays or tensors."""
    return (disagreement * disagreement).cumsum(-1) ** 0.5
