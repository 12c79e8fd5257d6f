"""Writing MJCF: an element whose attributes may be numbers and arrays."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

Element = ElementTree.Element


def add(parent: Element, tag: str, **attributes: ArrayLike) -> Element:
    """Appends `<tag attribute="..."/>` to `parent`; numbers and arrays are written as MuJoCo reads them."""
    return ElementTree.SubElement(parent, tag, {name: _text(value) for name, value in attributes.items()})


def _text(value: ArrayLike) -> str:
    if isinstance(value, str):
        return value
    return " ".join(f"{number:.9g}" for number in np.atleast_1d(np.asarray(value, dtype=np.float64)))
