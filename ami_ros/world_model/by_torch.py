"""A `WorldModel`, asked by arrays: by the same weights without torch where ami_ros can compute it, else by torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount, Window
from ami_ros.world_model.array_pairs import ArrayPairs, Compared
from ami_ros.world_model.arrays import ArrayCritic, ArrayModel, Bytes, Floats
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.picture_rays import picture_rays
from ami_ros.world_model.spec import PAIR_CHANNELS, Sensors


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
        return _ask(self.model.relative_pose, first, second)

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        latents, motions = _ask(self.model.rollout, latent, commands, previous)
        return latents, motions

    def path_disagreement(self, latent: Floats, latents: Floats, commands: Floats, previous: Floats) -> Floats:
        return _ask(self.model.path_disagreement, latent, latents, commands, previous)

    @property
    def sighting(self) -> Callable[[Floats, Floats, Floats], Floats] | None:
        return None if self.model.sighting is None else partial(_ask, self.model.sighting)


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
    def tangent(self) -> float:
        return float(self._pairs.tangent)

    @property
    def share(self) -> float:
        return float(self._pairs.share)

    @property
    def threshold(self) -> float:
        return float(self._pairs.threshold)

    def code(self, image: Bytes) -> Floats:
        return _ask(self._pairs.code, image)

    def _compare(self, here: Floats, there: Floats, columns: Floats | None = None) -> Compared:
        return Compared(*_ask(self._pairs, here, there, *([] if columns is None else [columns])))

    def distances(self, code: Floats) -> Floats:
        cells = code[: PAIR_CHANNELS * self.side**2].reshape(PAIR_CHANNELS, self.side, self.side)
        bearings = picture_rays(self.mount, self.tangent, self.size).bearings
        return np.exp(_ask(self._pairs.plan, cells, bearings)[0][..., 0])


def _tensor(values: NDArray[Any]) -> Any:
    import torch  # here: processes that have an `InferenceModel` do without its 190 MB

    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _ask(function: Callable[..., Any], *values: NDArray[Any]) -> Any:
    import torch

    with torch.inference_mode():
        found = function(*map(_tensor, values))
    return tuple(v.numpy() for v in found) if isinstance(found, tuple) else found.numpy()


_made: WeakKeyDictionary[Any, ArrayModel] = WeakKeyDictionary()  # of which `WorldModel`
_pairs: WeakKeyDictionary[Any, ArrayPairs] = WeakKeyDictionary()  # of which `PairHead`, which private copies share


def on_arrays(model: Any) -> ArrayModel:
    """A model for arrays, whatever it computes by: a `WorldModel`, or one for arrays already.

    Of a loaded model that ami_ros itself can compute it is an `InferenceModel` of the same weights, one for all who
    ask; what is adapted in the `WorldModel` counts there too. Others are asked by torch.
    """
    if isinstance(model, ArrayModel):
        return model
    if not _is_loaded_and_ours(model):
        _made.pop(model, None)  # if it learns again, what was made of it would not follow
        if model.pairs is not None:
            _pairs.pop(model.pairs, None)
        return ByTorch(model)
    if model not in _made:
        _made[model] = _inference_of(model)
    return _made[model]


def _is_loaded_and_ours(model: Any) -> bool:
    from ami_ros.world_model.model import WorldModel

    learning = any(p.requires_grad for p in model.parameters())
    return type(model) is WorldModel and not model.spec.needs_torch and not learning


def _inference_of(model: Any) -> ArrayModel:
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    made = InferenceModel(model.spec, weights, model.drive.detach().numpy(), model.colours.detach().numpy())
    if made.pairs is not None:
        made.__dict__["pairs"] = _pairs.setdefault(model.pairs, made.pairs)
    return made
