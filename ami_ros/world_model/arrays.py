"""What nodes ask of a model, in arrays: by torch, or by `inference.InferenceModel`, where a process does without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount, Window
from ami_ros.world_model.spec import ModelSpec, Sensors

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

AS_TRAINED = np.array([[1.0, 0.0]] * 3, np.float32)  # colours: gain 1 and offset 0 of each
MIDDLE = 127.5  # grey, about which a camera's gain is taken: so it and the offset hardly depend on each other


class Compared(NamedTuple):
    """What pairs of pictures say; see `pairs.Verdict`."""

    pose: Floats  # (n, 4)
    error: Floats  # (n,) [m]
    same: Floats  # (n,)


class ArrayCritic(ABC):
    """Compares latents: the product of a query and a key, both of unit length, says how alike they are."""

    temperature: float

    @abstractmethod
    def queries(self, latents: Floats) -> Floats:
        """(n, latent_dim) -> (n, contrast_dim)."""

    @abstractmethod
    def keys(self, latents: Floats) -> Floats:
        """(n, latent_dim) -> (n, contrast_dim)."""


class ArrayPairs(ABC):
    """Compares pictures cell by cell; see `pairs.PairHead`."""

    size: int  # [px], square, of the pictures
    mount: CameraMount  # where the robot's camera sits
    window: Window  # what it sees of the picture that the model's camera would take

    @property
    @abstractmethod
    def share(self) -> float:
        """Of that picture's sides: what is compared, in its middle."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """Least `same` at which a pair is relied on."""

    @abstractmethod
    def code(self, image: Bytes) -> Floats:
        """(n, 3, size, size) -> (n, code)."""

    @abstractmethod
    def compare(self, here: Floats, there: Floats) -> Compared:
        """Pairs of codes (n, code)."""


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

    def seen(self, image: Bytes) -> Bytes:
        """What this robot's camera sees (batch, 3, size, size), as that of the training data would have seen it."""
        if np.array_equal(self.colours, AS_TRAINED):
            return image
        gain, offset = self.colours[:, 0, None, None], self.colours[:, 1, None, None]
        return ((image - np.float32(MIDDLE)) * gain + MIDDLE + 255 * offset).clip(0, 255).round().astype(np.uint8)


class ByTorch(ArrayModel):
    """Any `WorldModel`; what is adapted in it counts from the next call on."""

    def __init__(self, model: Any) -> None:
        self.model, self.spec = model.eval(), model.spec

    @property
    def contrast(self) -> ArrayCritic:
        return _CriticByTorch(self.model.contrast)

    @property
    def pairs(self) -> ArrayPairs | None:
        return None if self.model.pairs is None else _PairsByTorch(self.model.pairs)

    @property
    def colours(self) -> Floats:
        colours: Floats = self.model.colours.detach().numpy()
        return colours

    @property
    def drive(self) -> Floats:
        drive: Floats = self.model.drive.detach().numpy()
        return drive

    def private_copy(self) -> ByTorch:
        return ByTorch(self.model.private_copy())

    def encode(self, sensors: Sensors) -> Floats:
        tensors = Sensors(*(None if value is None else _tensor(value) for value in sensors))
        return _ask(lambda: self.model.encode(tensors))

    def encode_goal(self, image: Bytes) -> Floats:
        return _ask(self.model.encode_goal, image)

    def encode_picture(self, image: Bytes) -> Floats:
        return _ask(self.model.encode_picture, image)

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        return _ask(self.model.relative_pose, *np.broadcast_arrays(first, second))

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        latents, motions = _ask(self.model.rollout, latent, commands, previous)
        return latents, motions

    def path_disagreement(self, latent: Floats, latents: Floats, commands: Floats, previous: Floats) -> Floats:
        return _ask(self.model.path_disagreement, latent, latents, commands, previous)


class _CriticByTorch(ArrayCritic):
    def __init__(self, critic: Any) -> None:
        self._critic, self.temperature = critic, critic.temperature

    def queries(self, latents: Floats) -> Floats:
        return _ask(self._critic.queries, latents)

    def keys(self, latents: Floats) -> Floats:
        return _ask(self._critic.keys, latents)


class _PairsByTorch(ArrayPairs):
    def __init__(self, pairs: Any) -> None:
        self._pairs, self.size = pairs, pairs.size

    @property  # type: ignore[override]  # what it stands for is the head's
    def mount(self) -> CameraMount:
        found: CameraMount = self._pairs.mount
        return found

    @mount.setter
    def mount(self, mount: CameraMount) -> None:
        self._pairs.mount = mount

    @property  # type: ignore[override]  # likewise
    def window(self) -> Window:
        found: Window = self._pairs.window
        return found

    @window.setter
    def window(self, window: Window) -> None:
        self._pairs.window = window

    @property
    def share(self) -> float:
        return float(self._pairs.share)

    @property
    def threshold(self) -> float:
        return float(self._pairs.threshold)

    def code(self, image: Bytes) -> Floats:
        return _ask(self._pairs.code, image)

    def compare(self, here: Floats, there: Floats) -> Compared:
        return Compared(*_ask(self._pairs, here, there))


def _tensor(values: NDArray[Any]) -> Any:
    import torch  # here: processes that have an `InferenceModel` do without its 190 MB

    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _ask(function: Callable[..., Any], *values: NDArray[Any]) -> Any:
    import torch

    with torch.inference_mode():
        found = function(*map(_tensor, values))
    return tuple(v.numpy() for v in found) if isinstance(found, tuple) else found.numpy()


def on_arrays(model: Any) -> ArrayModel:
    """A model for arrays, whatever it computes by: a `WorldModel`, or one for arrays already."""
    return model if isinstance(model, ArrayModel) else ByTorch(model)


def accumulated(disagreement: Any) -> Any:
    """Errors to expect after each step of a rollout (batch, steps), of those that each step adds; arrays or tensors."""
    return (disagreement * disagreement).cumsum(-1) ** 0.5
