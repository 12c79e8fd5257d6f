"""Colours and lights for a renderer that reckons in linear light, as that of Gazebo does.

gz-rendering 8 (ogre2) decodes pictures, takes colours and lights as they are given, and encodes what it drew. Values
that another renderer multiplies as they are would all come out too bright. Of the light that falls evenly it shows one
part in pi (its diffuse colours hold that factor, for which it makes up in lamps alone). Parts of a colour above 1 are
taken as of 255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Of a light along the view of a camera that looks ahead: its share on what lies, and on what stands, on average.
ON_WHAT_LIES, ON_WHAT_STANDS = 0.4, 0.8  # fitted to pictures of `home` by both renderers


@dataclass(frozen=True)
class EvenLight:
    """Light from everywhere and along the view, as a scene's own and as what surfaces give off themselves."""

    scene: float  # the `<ambient>` of the scene
    lying: float  # share of its colour that a floor or a ceiling gives off
    standing: float  # the same of all else

    @classmethod
    def of(cls, ambient: float, frontal: float) -> EvenLight:
        """Of light as MuJoCo has it (0..1)."""
        lying, standing = (linear(ambient + share * frontal) for share in (ON_WHAT_LIES, ON_WHAT_STANDS))
        scene = min(1.0, math.pi * lying)
        return cls(scene, lying - scene / math.pi, standing - scene / math.pi)


def linear(value: float) -> float:
    """The light that is shown as `value` (0..1, or beyond) after encoding as sRGB (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def linear_color(rgb: Sequence[float]) -> list[float]:
    """The same of a colour (3,)."""
    return [linear(float(value)) for value in rgb]


def lamp(strength: float, ambient: float) -> float:
    """What a light of `strength` adds to the `ambient` one where it falls straight, both as MuJoCo has them."""
    return linear(ambient + strength) - linear(ambient)
