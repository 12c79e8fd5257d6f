"""Costs are written once, for NumPy's arrays, which a search weighs, and for torch's tensors, which have gradients."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

ArrayOrTensor: TypeAlias = Any  # float32: a NumPy array, or a torch tensor where gradients are taken


def get_array_module(x: ArrayOrTensor) -> Any:
    """The module whose functions take `x`: numpy or torch, of which only what both call the same is used."""
    return np if isinstance(x, np.ndarray) else sys.modules["torch"]
