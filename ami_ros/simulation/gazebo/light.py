"""Colours and lights for a renderer that reckons in linear light, as that of Gazebo does.

gz-rendering (ogre2) decodes pictures, takes colours and lights as they are given, and encodes what it drew. Values that
another renderer multiplies as they are would all come out too bright.
"""

from __future__ import annotations

from collections.abc import Sequence


def linear(value: float) -> float:
    """The light that is shown as `value` (0..1, or beyond) after encoding as sRGB (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def linear_color(rgb: Sequence[float]) -> list[float]:
    """The same of a colour (3,)."""
    return [linear(float(value)) for value in rgb]


def lamp(strength: float, ambient: float) -> float:
    """What a light of `strength` adds to the `ambient` one where it falls straight, both as MuJoCo has them."""
    return linear(ambient + strength) - linear(ambient)
