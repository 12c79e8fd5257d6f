"""The layers of `layers` by torch, for learning: the same names, and channels last."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ami_ros.world_model.layers import Shape, flattened

GELU, LayerNorm, Linear, ModuleList, Sequential = nn.GELU, nn.LayerNorm, nn.Linear, nn.ModuleList, nn.Sequential


class Learned(nn.Module):
    """A network that learns."""

    def add(self, name: str, values: Any, learned: bool = True) -> None:
        """Numbers that go into files: they are learned by gradients, or otherwise."""
        tensor = torch.tensor(values)
        if learned:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def count_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.parameters())

    def hold(self, name: str, values: Any) -> None:
        """Numbers that files do not have."""
        self.register_buffer(name, torch.tensor(values), persistent=False)


class Conv2d(nn.Conv2d):
    """Padded with zeros."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Conv1d(nn.Conv1d):
    """Padded with zeros, or around a circle."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, circular: bool = False) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2, padding_mode="circular" if circular else "zeros")

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class GroupNorm(nn.GroupNorm):
    """Over a picture, and the channels of a group."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


def BatchNorm1d(width: int) -> nn.BatchNorm1d:  # a layer's name; `learning.parallel` looks for torch's
    """Without gain and shift."""
    return nn.BatchNorm1d(width, affine=False)


class Flatten(nn.Module):
    """See `flattened`."""

    forward = staticmethod(flattened)


def ParameterList(shapes: Sequence[Shape], spread: bool = False) -> nn.ParameterList:  # a layer's name
    """Zeros of these shapes (..., inputs, outputs), or `spread` as torch's layers are."""
    made = nn.ParameterList(torch.zeros(shape) for shape in shapes)
    for weight in made if spread else ():
        nn.init.uniform_(weight, -1 / math.sqrt(weight.shape[-2]), 1 / math.sqrt(weight.shape[-2]))
    return made


def zeroed(layer: nn.Linear) -> nn.Linear:
    """A layer that begins as zeros."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@cache
def learned(kind: type) -> Any:
    """The class of networks of this kind that learn; other packages may derive from it."""

    def begin(self: Any, *values: Any) -> None:
        Learned.__init__(self)
        kind.__init__(self, sys.modules[__name__], *values)  # type: ignore[misc]

    return type(kind.__name__, (kind, Learned), {"__init__": begin})


def network(kind: type, *values: Any) -> Any:
    """A network of this kind that learns, made with `values`."""
    return learned(kind)(*values)
