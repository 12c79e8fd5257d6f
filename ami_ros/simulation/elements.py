"""Writing MJCF: an element whose attributes may be numbers and arrays."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

# Geometry groups of MuJoCo
SCENERY_GROUP = 0  # of what is only looked at
ROBOT_GROUP = 3  # of what the robot looks like
CEILING_GROUP = 1  # of what hides the world from above
HIDDEN_GROUP = 5  # collision shapes that are not to be seen

Element = ElementTree.Element


def add(parent: Element, tag: str, **attributes: ArrayLike) -> Element:
    """Appends `<tag attribute="..."/>` to `parent`; numbers and arrays are written as MuJoCo reads them."""
    return ElementTree.SubElement(parent, tag, {name: _text(value) for name, value in attributes.items()})


def _text(value: ArrayLike) -> str:
    if isinstance(value, str):
        return value
    return " ".join(f"{number:.9g}" for number in np.atleast_1d(np.asarray(value, dtype=np.float64)))
