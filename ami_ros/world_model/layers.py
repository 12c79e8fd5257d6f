"""Layers of a network on arrays, as torch has them: what a trained model computes, and nothing of how it learns.

Pictures have their channels last, (batch, height, width, channels): then a convolution is one product of matrices. A
layer is made of the weights of torch's layer of that name, and takes (batch, ...) float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Layer = Callable[[Any], Floats]
Weights = Mapping[str, NDArray[Any]]

EPS = 1e-5  # torch's, of all normalisations
FAR = 64.0  # squared, beyond which the distribution is 0 or 1, and the polynomial need not be known
GELU = (
    *(0.7978842684287595, 0.036334149061095555, -3.3026660398831654e-05, -5.5273398714037885e-05),
    *(3.9740723739861575e-06, -1.3378329757635782e-07, 1.8139294580277188e-09),
)


def sequence(*layers: Layer) -> Layer:
    """One after the other."""
    return lambda x: reduce(lambda values, layer: layer(values), layers, x)


def linear(weights: Weights, name: str) -> Layer:
    """(..., inputs) -> (..., outputs)."""
    matrix, bias = weights[f"{name}.weight"].T, weights[f"{name}.bias"]

    def layer(x: Floats) -> Floats:
        out = product(x, matrix)
        out += bias
        return out

    return layer


def product(x: Floats, matrix: Floats) -> Floats:
    """(..., inputs) times (inputs, outputs): one product, where NumPy makes one for each matrix of a stack."""
    if x.ndim < 3:
        return np.asarray(x @ matrix)
    return np.asarray(x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], -1)


def mlp(weights: Weights, name: str) -> Layer:
    """As `heads.mlp`."""
    first, second, last = (linear(weights, f"{name}.{k}") for k in (0, 2, 4))
    return sequence(first, gelu, second, gelu, last)


def mlp_of_two(weights: Weights, name: str) -> Callable[[Floats, Floats], Floats]:
    """The same, of two inputs beside each other; each of them may be one for many of the other."""
    matrix, bias = weights[f"{name}.0.weight"].T, weights[f"{name}.0.bias"]
    half = len(matrix) // 2
    second, last = (linear(weights, f"{name}.{k}") for k in (2, 4))
    rest = sequence(gelu, second, gelu, last)
    return lambda a, b: rest(product(a, matrix[:half]) + (product(b, matrix[half:]) + bias))


def convolution(weights: Weights, name: str, stride: int | tuple[int, int] = 1) -> Layer:
    """(batch, height, width, inputs) -> (batch, height / stride, width / stride, outputs), padded with zeros; `stride`
    is the same down and across, or (down, across)."""
    down, across = (stride, stride) if isinstance(stride, int) else stride
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    size = kernel.shape[-1]
    matrix = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)))

    def layer(x: Floats) -> Floats:
        height, width = -(-x.shape[1] // down), -(-x.shape[2] // across)
        edge = size // 2
        inside, x = x, np.zeros((len(x), x.shape[1] + 2 * edge, x.shape[2] + 2 * edge, x.shape[3]), x.dtype)
        x[:, edge : x.shape[1] - edge, edge : x.shape[2] - edge] = inside
        rows, columns = down * (height - 1) + 1, across * (width - 1) + 1
        parts = [x[:, i : i + rows : down, j : j + columns : across] for i in range(size) for j in range(size)]
        out: Floats = np.concatenate(parts, -1) @ matrix + bias
        return out

    return layer


def row_convolution(weights: Weights, name: str) -> Layer:
    """(batch, length, inputs) -> (batch, length, outputs), padded with zeros."""
    return _of_row(weights, name, 1, circular=False)


def circular_convolution(weights: Weights, name: str, stride: int) -> Layer:
    """(batch, length, inputs) -> (batch, length / stride, outputs), around a circle."""
    return _of_row(weights, name, stride, circular=True)


def _of_row(weights: Weights, name: str, stride: int, circular: bool) -> Layer:
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    size = kernel.shape[-1]
    matrix = np.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(-1, len(kernel)))

    def layer(x: Floats) -> Floats:
        length, beyond = x.shape[1], size // 2
        span = stride * (-(-length // stride) - 1) + 1
        before, after = x[:, length - beyond :], x[:, :beyond]
        if not circular:
            before, after = np.zeros_like(before), np.zeros_like(after)
        x = np.concatenate([before, x, after], 1)
        out: Floats = np.concatenate([x[:, i : i + span : stride] for i in range(size)], -1) @ matrix + bias
        return out

    return layer


def gelu(x: Floats) -> Floats:
    """x times the normal distribution at x, (1 + tanh(x p(x^2))) / 2, to 6e-7; p is fitted (minimax)."""
    z = np.square(x)
    np.minimum(z, FAR, out=z)
    inner: Floats = np.multiply(z, GELU[-1])
    for coefficient in GELU[-2:0:-1]:
        inner += coefficient
        inner *= z
    inner += GELU[0]
    inner *= x
    np.tanh(inner, out=inner)
    inner += 1.0
    inner *= x
    inner *= 0.5
    return inner


def layer_norm(weights: Weights, name: str) -> Layer:
    """Over the last axis."""
    gain, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return lambda x: standardised(x) * gain + shift


def group_norm(weights: Weights, name: str, groups: int = 8) -> Layer:
    """Over a picture, and the channels of a group."""
    gain, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]

    def layer(x: Floats) -> Floats:
        pixels = x.reshape(len(x), -1, x.shape[-1])
        share = np.full(pixels.shape[1], groups / pixels[0].size, x.dtype)

        def means(values: Floats) -> Floats:
            """(batch, pixels, channels) -> (batch, 1, channels), the same for all channels of a group."""
            of_channels = (share @ values).reshape(len(values), groups, -1)
            return of_channels.sum(-1).repeat(of_channels.shape[-1], -1)[:, None]

        out = pixels - means(pixels)
        out *= gain / np.sqrt(means(np.square(out)) + EPS)
        out += shift
        return out.reshape(x.shape)

    return layer


def batch_norm(weights: Weights, name: str, eps: float = EPS) -> Layer:
    """(batch, n), without gain and shift, by what was measured in training."""
    mean, scale = weights[f"{name}.running_mean"], 1 / np.sqrt(weights[f"{name}.running_var"] + eps)
    return lambda x: (x - mean) * scale


def standardised(x: Floats) -> Floats:
    """With mean 0 and deviation 1 over the last axis."""
    share = np.full(x.shape[-1], 1 / x.shape[-1], x.dtype)  # a product with it is three times as fast as `mean`
    x = x - (x @ share)[..., None]
    x /= np.sqrt((np.square(x) @ share)[..., None] + EPS)
    return x


def unit(x: Floats, least: float = 1e-12) -> Floats:
    """Of length 1 over the last axis."""
    return np.asarray(x / np.maximum(np.sqrt(np.square(x).sum(-1, keepdims=True)), least))


def softmax(x: Floats) -> Floats:
    """Over the last axis."""
    x = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(x / x.sum(-1, keepdims=True))


def sigmoid(x: Any) -> Any:
    """Of each number."""
    return 1 / (1 + np.exp(-x))


def unshuffled(x: Floats, factor: int) -> Floats:
    """As torch's PixelUnshuffle."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // factor, factor, width // factor, factor, channels).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(batch, height // factor, width // factor, -1)


def flattened(x: Floats) -> Floats:
    """(batch, height, width, channels) -> (batch, n), in the order that torch flattens pictures."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def pooled(x: Floats, size: int) -> Floats:
    """As torch's adaptive_avg_pool2d: (..., height, width) -> (..., size, size)."""
    down, across = (_pooling(length, size) for length in x.shape[-2:])
    return np.asarray(down @ x @ across.T)


def _pooling(length: int, size: int) -> Floats:
    """(size, length): of which numbers each is the mean."""
    cells, at = np.arange(size)[:, None], np.arange(length)
    inside = (at >= cells * length // size) & (at < -(-(cells + 1) * length // size))
    return (inside / inside.sum(1, keepdims=True)).astype(np.float32)
