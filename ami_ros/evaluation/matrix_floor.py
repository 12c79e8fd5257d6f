"""The floor below any planner: the matrix products of one search, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ami_ros.geometry import Array

Product = tuple[int, int, int]  # rows, inner size, columns


def products_of(model: nn.Module, call: Callable[[], object]) -> list[Product]:
    """The matrix products of all linear layers of `model` that `call` runs through, in order."""
    found: list[Product] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        rows = inputs[0].numel() // layer.in_features
        found.append((rows, layer.in_features, layer.out_features))

    hooks = [layer.register_forward_hook(note) for layer in model.modules() if isinstance(layer, nn.Linear)]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return found


class Floor:
    """Does nothing but these products, into memory that is already there.

    Args:
        products: as `products_of` found them.
    """

    def __init__(self, products: list[Product]) -> None:
        self._matrices = [(torch.randn(n, k), torch.randn(m, k).t(), torch.empty(n, m)) for n, k, m in products]

    def __call__(self) -> None:
        with torch.inference_mode():
            for left, right, out in self._matrices:
                torch.mm(left, right, out=out)


def time_in_turn(calls: list[Callable[[], object]], repeats: int, warm_up: int = 2) -> Array:
    """Durations (repeats, calls) [s] of each call, one after the other, so that what else runs disturbs all alike."""
    seconds = np.zeros((repeats + warm_up, len(calls)))
    for row in seconds:
        for i, call in enumerate(calls):
            began = time.perf_counter()
            call()
            row[i] = time.perf_counter() - began
    return seconds[warm_up:]
