"""Messages whose every field holds what a stranger may put there."""

from __future__ import annotations

import array
import importlib
import math
import re
from typing import Any

import numpy as np

FLOATS = (0.0, -0.0, 1.0, -1.0, 0.3, math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 7.5)
TEXTS = (
    "", "odom", "map", "base_link", "exact@0", "png", "jpeg", "rgb8", "bgr8", "mono16", "x", "y", "z", "plumb_bob",
    "\n\u202e<b>", "../..",
)  # fmt: skip
LENGTHS = (0, 0, 1, 2, 3, 4, 8, 9, 40)


def message_of(cls: Any, rng: np.random.Generator, sane: float = 0.5) -> Any:
    """A message of any values.

    Args:
        cls: its type.
        rng: draws them.
        sane: share of its fields that are left as they are by default.
    """
    message = cls()
    for name, kind in cls.get_fields_and_field_types().items():
        if rng.random() >= sane or "/" in kind:
            setattr(message, name, _value(kind, rng, sane))
    return message


def _value(kind: str, rng: np.random.Generator, sane: float) -> Any:
    if found := re.fullmatch(r"sequence<(.+?)(?:, (\d+))?>", kind):
        length = min(int(rng.choice(LENGTHS)), int(found[2] or 40))
        return _values(found[1], length, rng, sane)
    if found := re.fullmatch(r"(.+)\[(\d+)\]", kind):
        return _values(found[1], int(found[2]), rng, sane)
    if "/" in kind:
        package, name = kind.split("/")
        return message_of(getattr(importlib.import_module(f"{package}.msg"), name), rng, sane)
    if kind.startswith("string"):
        return str(rng.choice(TEXTS))
    if kind == "boolean":
        return bool(rng.integers(2))
    if kind in ("double", "float"):
        value = float(rng.choice(FLOATS))
        return value if kind == "double" or not 3e38 < abs(value) < math.inf else math.copysign(3e38, value)
    bits = int(re.sub(r"\D", "", kind) or 8)
    low, high = (0, 2**bits - 1) if kind[0] in "ub" or kind == "octet" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return int(rng.choice(np.array([low, 0, 1, 2, 3, high], dtype=object)))


def _values(kind: str, length: int, rng: np.random.Generator, sane: float) -> Any:
    values = [_value(kind, rng, sane) for _ in range(length)]
    if kind in ("octet", "uint8"):
        return array.array("B", values)
    return values
