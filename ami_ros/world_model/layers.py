"""Layers of networks that are written once: here on arrays, for driving; `torch_layers` has the same, for learning.

A network is a `Network`, made of the layers of a module `nn`: this one, or `torch_layers`. What it computes between its
layers it computes by functions that arrays and tensors share. Pictures have their channels last, (batch, height, width,
channels): then a convolution is one product of matrices. Names, sizes and orders of weights are torch's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Values: TypeAlias = Any  # an array of float32, or a tensor of torch
Weights = Mapping[str, NDArray[Any]]
Shape = tuple[int, ...]

EPS = 1e-5  # torch's, of all normalisations
GELU_SERIES = (
    *(0.7978842684287595, 0.036334149061095555, -3.3026660398831654e-05, -5.5273398714037885e-05),
    *(3.9740723739861575e-06, -1.3378329757635782e-07, 1.8139294580277188e-09),
)

if TYPE_CHECKING:
    _Made: Any  # of a network are made its array and its torch kind, which have all that `Module` or torch's has
else:
    _Made = object


class Network(_Made):  # type: ignore[misc]
    """Whatever has a `forward` that arrays and tensors go through alike; made by `network` of a module `nn`."""


# Functions of arrays and tensors


def kind_of(x: Values) -> Any:
    """NumPy or torch: the module whose functions take `x`."""
    return np if isinstance(x, (np.ndarray, np.generic)) else sys.modules["torch"]


def like(constant: NDArray[Any], x: Values) -> Values:
    """A constant as what `x` is."""
    return constant if kind_of(x) is np else kind_of(x).from_numpy(constant)


def float32(x: Values) -> Values:
    """In single precision."""
    return np.asarray(x, np.float32) if kind_of(x) is np else x.float()


def joined(*parts: Values) -> Values:
    """Along the last axis."""
    return kind_of(parts[0]).concatenate(parts, -1)


def permuted(x: Values, *axes: int) -> Values:
    """With its axes in another order."""
    return x.transpose(axes) if kind_of(x) is np else x.permute(axes)


def unshuffled(x: Values, factor: int) -> Values:
    """As torch's PixelUnshuffle, from channels first to channels last: (batch, channels, height, width) -> (batch,
    height / factor, width / factor, channels * factor * factor)."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // factor, factor, width // factor, factor)
    return permuted(x, 0, 2, 4, 1, 3, 5).reshape(batch, height // factor, width // factor, -1)


def flattened(x: Values) -> Values:
    """(batch, ..., channels) -> (batch, n), in the order that torch flattens what has its channels first."""
    return permuted(x, 0, x.ndim - 1, *range(1, x.ndim - 1)).reshape(len(x), -1)


def linear(x: Values, weight: Values, bias: Values | None = None) -> Values:
    """(..., inputs) -> (..., outputs)."""
    if kind_of(x) is not np:
        return kind_of(x).nn.functional.linear(x, weight, bias)
    out = product(x, weight.T)
    return out if bias is None else np.add(out, bias, out=out)


def unit(x: Values, least: float = 1e-12) -> Values:
    """Of length 1 over the last axis."""
    if kind_of(x) is not np:
        return kind_of(x).nn.functional.normalize(x, dim=-1, eps=least)
    return np.asarray(x / np.maximum(np.sqrt(np.square(x).sum(-1, keepdims=True)), least))


def softmax(x: Values) -> Values:
    """Over the last axis."""
    if kind_of(x) is not np:
        return x.softmax(-1)
    x = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(x / x.sum(-1, keepdims=True))


def sigmoid(x: Values) -> Values:
    """Of each number."""
    return 1 / (1 + kind_of(x).exp(-x))


def gelu(x: Values) -> Values:
    """x times the normal distribution at x; of arrays (1 + tanh(x p(x^2))) / 2, to 6e-7; p is fitted (minimax)."""
    if kind_of(x) is not np:
        return kind_of(x).nn.functional.gelu(x)
    z = np.square(x)
    np.minimum(z, 64.0, out=z)  # beyond which the distribution is 0 or 1
    inner: Floats = np.multiply(z, GELU_SERIES[-1])
    for coefficient in GELU_SERIES[-2:0:-1]:
        inner += coefficient
        inner *= z
    inner += GELU_SERIES[0]
    inner *= x
    np.tanh(inner, out=inner)
    inner += 1.0
    inner *= x
    inner *= 0.5
    return inner


def product(x: Floats, matrix: Floats) -> Floats:
    """(..., inputs) times (inputs, outputs): one product, where NumPy makes one for each matrix of a stack."""
    if x.ndim < 3:
        return np.asarray(x @ matrix)
    return np.asarray(x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], -1)


def standardised(x: Floats) -> Floats:
    """With mean 0 and deviation 1 over the last axis."""
    share = np.full(x.shape[-1], 1 / x.shape[-1], x.dtype)  # a product with it is three times as fast as `mean`
    x = x - (x @ share)[..., None]
    x /= np.sqrt((np.square(x) @ share)[..., None] + EPS)
    return x


def pooled(x: Floats, size: int) -> Floats:
    """As torch's adaptive_avg_pool2d: (..., height, width) -> (..., size, size)."""
    down, across = (_pooling(length, size) for length in x.shape[-2:])
    return np.asarray(down @ x @ across.T)


def _pooling(length: int, size: int) -> Floats:
    """(size, length): of which numbers each is the mean."""
    cells, at = np.arange(size)[:, None], np.arange(length)
    inside = (at >= cells * length // size) & (at < -(-(cells + 1) * length // size))
    return (inside / inside.sum(1, keepdims=True)).astype(np.float32)


def check_fit(weights: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """Raises ValueError where weights do not have these names and shapes."""
    shared = weights.keys() & shapes.keys()
    faults = {
        "missing": shapes.keys() - shared,
        "unknown": weights.keys() - shared,
        "of another shape": {name for name in shared if tuple(weights[name].shape) != shapes[name]},
    }
    if told := [f"{len(names)} {what} ({min(names)})" for what, names in faults.items() if names]:
        raise ValueError(", ".join(told))


# Layers on arrays


class Module:
    """A layer or a network on arrays; what it has learned comes by `load`, and is float32 from its first use on."""

    _shapes: Mapping[str, Shape] = MappingProxyType({})
    _given: Weights = MappingProxyType({})

    def __call__(self, *values: Any) -> Any:
        return self.forward(*values)

    def __getattr__(self, name: str) -> Any:
        if name not in self._given:
            raise AttributeError(name)
        found = self.__dict__[name] = np.asarray(self._given[name], np.float32)
        return found

    def add(self, name: str, values: Any, learned: bool = True) -> None:
        """Makes room for what files have under that name."""
        self._shapes = {**self._shapes, name: np.shape(values)}

    def hold(self, name: str, values: NDArray[Any]) -> None:
        """Keeps numbers that files do not have."""
        setattr(self, name, values)

    def parts(self) -> dict[str, Module]:
        """The layers that it consists of."""
        return {name: part for name, part in vars(self).items() if isinstance(part, Module)}

    def shapes(self) -> dict[str, Shape]:
        """Of all weights, by their names in files."""
        inside = {f"{at}.{name}": shape for at, part in self.parts().items() for name, shape in part.shapes().items()}
        return {**self._shapes, **inside}

    def count_parameters(self) -> int:
        """How many numbers were learned by gradients."""
        buffers = ("running_mean", "running_var", "num_batches_tracked", "calibration")
        return sum(math.prod(shape) for name, shape in self.shapes().items() if not name.endswith(buffers))

    def load(self, weights: Weights) -> None:
        """Takes weights by their names in files; ValueError where they do not fit."""
        check_fit(weights, self.shapes())
        self._fill(weights, "")

    def _fill(self, weights: Weights, at: str) -> None:
        self._given = {name: weights[at + name] for name in self._shapes}
        for name, part in self.parts().items():
            part._fill(weights, f"{at}{name}.")


class Sequential(Module):
    """One after the other."""

    def __init__(self, *layers: Module) -> None:
        self._layers = layers
        vars(self).update({str(k): layer for k, layer in enumerate(layers)})

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers)

    def __getitem__(self, k: int) -> Module:
        return self._layers[k]

    def forward(self, x: Floats) -> Floats:
        for layer in self._layers:
            x = layer(x)
        return x


class ModuleList(Sequential):
    """Several, that whoever has them puts together."""

    def __init__(self, layers: Sequence[Module]) -> None:
        super().__init__(*layers)


class ParameterList(Module):
    """Weights of these shapes; `spread` says how they begin."""

    def __init__(self, shapes: Sequence[Shape], spread: bool = False) -> None:
        self._shapes = {str(k): shape for k, shape in enumerate(shapes)}

    def __iter__(self) -> Iterator[Floats]:
        return (getattr(self, name) for name in self._shapes)


class Linear(Module):
    """(..., inputs) -> (..., outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self._shapes = {"weight": (outputs, inputs), "bias": (outputs,)}

    def forward(self, x: Floats) -> Floats:
        return linear(x, self.weight, self.bias)  # type: ignore[no-any-return]


def zeroed(layer: Linear) -> Linear:
    """A layer that begins as zeros."""
    return layer


class Conv2d(Module):
    """(batch, height, width, inputs) -> (batch, height / stride, width / stride, outputs), padded with zeros; `stride`
    is the same down and across, or (down, across)."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int | tuple[int, int] = 1) -> None:
        self._shapes = {"weight": (outputs, inputs, size, size), "bias": (outputs,)}
        self.size, self.stride = (size, size), (stride, stride) if isinstance(stride, int) else stride

    @cached_property
    def matrix(self) -> Floats:
        kernel = np.moveaxis(np.asarray(self._given["weight"], np.float32), (0, 1), (-1, -2))
        return np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1]))

    def forward(self, x: Floats) -> Floats:
        edge = self.size[0] // 2
        inside, x = x, np.zeros((len(x), x.shape[1] + 2 * edge, x.shape[2] + 2 * edge, x.shape[3]), x.dtype)
        x[:, edge : x.shape[1] - edge, edge : x.shape[2] - edge] = inside
        return self._of_padded(x)

    def _of_padded(self, x: Floats) -> Floats:
        (high, wide), (down, across) = self.size, self.stride
        height, width = x.shape[1] - high, x.shape[2] - wide
        rows, columns = height - height % down + 1, width - width % across + 1
        parts = [x[:, i : i + rows : down, j : j + columns : across] for i in range(high) for j in range(wide)]
        out: Floats = np.concatenate(parts, -1) @ self.matrix + self.bias
        return out


class Conv1d(Conv2d):
    """(batch, length, inputs) -> (batch, length / stride, outputs), padded with zeros, or around a circle."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, circular: bool = False) -> None:
        self._shapes = {"weight": (outputs, inputs, size), "bias": (outputs,)}
        self.size, self.stride, self.circular = (1, size), (1, stride), circular

    def forward(self, x: Floats) -> Floats:
        beyond = self.size[1] // 2
        before, after = x[:, x.shape[1] - beyond :], x[:, :beyond]
        if not self.circular:
            before, after = np.zeros_like(before), np.zeros_like(after)
        return self._of_padded(np.concatenate([before, x, after], 1)[:, None])[:, 0]


class LayerNorm(Module):
    """Over the last axis."""

    def __init__(self, width: int, elementwise_affine: bool = True) -> None:
        self._shapes = {"weight": (width,), "bias": (width,)} if elementwise_affine else {}

    def forward(self, x: Floats) -> Floats:
        x = standardised(x)
        return x * self.weight + self.bias if self._shapes else x


class GroupNorm(Module):
    """Over a picture, and the channels of a group."""

    def __init__(self, groups: int, channels: int) -> None:
        self._shapes, self.groups = {"weight": (channels,), "bias": (channels,)}, groups

    def forward(self, x: Floats) -> Floats:
        pixels = x.reshape(len(x), -1, x.shape[-1])
        share = np.full(pixels.shape[1], self.groups / pixels[0].size, x.dtype)

        def means(values: Floats) -> Floats:
            """(batch, pixels, channels) -> (batch, 1, channels), the same for all channels of a group."""
            of_channels = (share @ values).reshape(len(values), self.groups, -1)
            return of_channels.sum(-1).repeat(of_channels.shape[-1], -1)[:, None]

        out = pixels - means(pixels)
        out *= self.weight / np.sqrt(means(np.square(out)) + EPS)
        out += self.bias
        return out.reshape(x.shape)


class BatchNorm1d(Module):
    """(batch, n), without gain and shift, by what was measured in training."""

    def __init__(self, width: int) -> None:
        self._shapes = {"running_mean": (width,), "running_var": (width,), "num_batches_tracked": ()}

    @cached_property
    def scale(self) -> Floats:
        return 1 / np.sqrt(self.running_var + EPS)  # type: ignore[no-any-return]

    def forward(self, x: Floats) -> Floats:
        return (x - self.running_mean) * self.scale  # type: ignore[no-any-return]


class GELU(Module):
    """See `gelu`."""

    forward = staticmethod(gelu)


class Flatten(Module):
    """See `flattened`."""

    forward = staticmethod(flattened)


@cache
def _on_arrays(kind: type) -> type[Module]:
    return type(kind.__name__, (kind, Module), {})


def network(kind: type, *values: Any) -> Any:
    """A network of this kind on arrays, made with `values`."""
    made: Any = _on_arrays(kind)
    return made(sys.modules[__name__], *values)


# Types and figures of what nodes ask of a model, in arrays.

Bytes = NDArray[np.uint8]

AS_TRAINED = np.array([[1.0, 0.0]] * 3, np.float32)  # colours: gain 1 and offset 0 of each


def accumulated(disagreement: Any) -> Any:
    """Errors to expect after each step of a rollout (batch, steps), of those that each step adds; arrays or tensors."""
    return (disagreement * disagreement).cumsum(-1) ** 0.5
