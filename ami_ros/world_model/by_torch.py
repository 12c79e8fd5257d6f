"""A `WorldModel`, asked by arrays: by the same weights without torch where ami_ros can compute it, else by torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ami_ros.world_model.array_pairs import ArrayPairs, Compared
from ami_ros.world_model.latent_model import ArrayModel, InferenceModel, Model
from ami_ros.world_model.spec import Sensors


class _Asked:
    """A network of torch, whose functions take and give arrays."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def __getattr__(self, name: str) -> Any:
        return _as_array(getattr(self.network, name))

    def __call__(self, *values: Any) -> Any:
        return _ask(self.network, *values)


class ByTorch(ArrayModel, _Asked):
    """Any `WorldModel`; what is adapted in it counts from the next call on."""

    def __init__(self, network: Any) -> None:
        super().__init__(network.eval())

    @property
    def pairs(self) -> ArrayPairs | None:
        return None if self.network.pairs is None else _PairsByTorch(self.network.pairs)

    def private_copy(self) -> ByTorch:
        """As `Model`'s."""
        return ByTorch(self.network.private_copy())


class _PairsByTorch(ArrayPairs, _Asked):
    """A `PairHead`, and its camera."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("mount", "window"):
            setattr(self.network, name, value)
        else:
            super().__setattr__(name, value)


def _ask(function: Callable[..., Any], *values: Any) -> Any:
    import torch  # here: processes that have an `InferenceModel` do without its 190 MB

    def tensor(value: Any) -> Any:
        if isinstance(value, Sensors):
            return Sensors(*map(tensor, value))
        is_array = isinstance(value, np.ndarray)
        return torch.from_numpy(np.require(value, requirements=["C", "W"])) if is_array else value

    with torch.inference_mode():
        return _as_array(function(*map(tensor, values)))


def _as_array(found: Any) -> Any:
    import torch

    if isinstance(found, torch.Tensor):
        return found.detach().numpy()
    if isinstance(found, Compared):
        return Compared(*map(_as_array, found))
    if type(found) is tuple:
        return tuple(map(_as_array, found))
    if isinstance(found, torch.nn.Module):
        return _Asked(found)
    return partial(_ask, found) if callable(found) else found


_made: WeakKeyDictionary[Any, Model] = WeakKeyDictionary()  # of which `WorldModel`
_pairs: WeakKeyDictionary[Any, ArrayPairs] = WeakKeyDictionary()  # of which `PairHead`, which private copies share


def on_arrays(model: Any) -> Model:
    """A model for arrays, whatever it computes by: a `WorldModel`, or one for arrays already.

    Of a loaded model that ami_ros itself can compute it is an `InferenceModel` of the same weights, one for all who
    ask; what is adapted in the `WorldModel` counts there too. Others are asked by torch.
    """
    if isinstance(model, ArrayModel):
        return model  # type: ignore[return-value]
    from ami_ros.world_model.torch_model import WorldModel

    learning = any(p.requires_grad for p in model.parameters())
    if type(model) is not WorldModel or model.spec.needs_torch or learning:
        _made.pop(model, None)  # if it learns again, what was made of it would not follow
        if model.pairs is not None:
            _pairs.pop(model.pairs, None)
        return ByTorch(model)  # type: ignore[return-value]
    if model not in _made:
        made = InferenceModel(model.spec, {name: tensor.numpy() for name, tensor in model.state_dict().items()})
        made.drive, made.colours = model.drive.detach().numpy(), model.colours.detach().numpy()
        if made.pairs is not None:
            made.pairs = _pairs.setdefault(model.pairs, made.pairs)
        _made[model] = made
    return _made[model]
