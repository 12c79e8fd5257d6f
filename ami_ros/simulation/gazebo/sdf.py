"""Writing SDFormat: elements, poses and the parts that worlds and robots share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ami_ros.errors import AmiError

Element = ElementTree.Element
VERSION = "1.11"  # that Gazebo Harmonic writes (sdformat 14); later ones read it
ROBOT_FLAG = 0x2  # visibility flag of what a robot's own sensors do not see
SEEN = 0xFFFFFFFF & ~ROBOT_FLAG  # visibility mask of those sensors
Value = str | bool | float | Sequence[float]


def add(parent: Element, tag: str, value: Value | None = None, **attributes: str) -> Element:
    """Appends `<tag attribute="...">value</tag>` to `parent`, with numbers as SDFormat reads them."""
    element = ElementTree.SubElement(parent, tag, attributes)
    if value is not None:
        element.text = text(value)
    return element


def text(value: Value) -> str:
    """A value as SDFormat reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.9g}"
    return " ".join(f"{number:.9g}" for number in value)


def add_plugin(parent: Element, system: str, name: str, **parameters: Value) -> Element:
    """Adds a system of gz-sim: `system` is that of its library, `name` its class in gz::sim::systems."""
    plugin = add(parent, "plugin", filename=f"gz-sim-{system}-system", name=f"gz::sim::systems::{name}")
    for key, value in parameters.items():
        add(plugin, key, value)
    return plugin


def gazebo_topic(name: str, topic: str) -> str:
    """Gazebo's topic of a robot's `topic`; `name` is that of its model."""
    return f"/model/{name}/{topic.lstrip('/')}"


def add_shape(parent: Element, kind: str, size: Sequence[float]) -> None:
    """Adds the geometry of a box of `size` (3,), of a cylinder of radius and length, or of a sphere of a radius [m]."""
    shape = add(add(parent, "geometry"), kind)
    if kind == "box":
        add(shape, "size", size)
        return
    add(shape, "radius", size[0])
    if kind == "cylinder":
        add(shape, "length", size[1])


def add_inertia(link: Element, mass: float, moments: Sequence[float], pose: Sequence[float] = ()) -> None:
    """Adds `mass` [kg] and moments of inertia (3,) [kg m^2] about the axes of `pose` (6,), or of the link."""
    inertial = add(link, "inertial")
    if len(pose):
        add(inertial, "pose", pose)
    add(inertial, "mass", mass)
    inertia = add(inertial, "inertia")
    for tag, value in zip(("ixx", "iyy", "izz", "ixy", "ixz", "iyz"), (*moments, 0.0, 0.0, 0.0), strict=True):
        add(inertia, tag, value)


def unique_names(names: Iterable[str]) -> dict[str, str]:
    """Names as SDFormat and file systems take them, by the names that were given; no two are the same."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.") or "unnamed"
        taken, number = set(found.values()), 1
        own = plain
        while own in taken:
            number += 1
            own = f"{plain}_{number}"
        found[name] = own
    return found


def document(root: Element) -> str:
    """A document of `root`, indented."""
    ElementTree.indent(root)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def write(path: Path, content: str | bytes) -> None:
    """Writes a file, its folders included. Raises AmiError: it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise AmiError(f"cannot write {path}: {error.strerror or error}") from error
