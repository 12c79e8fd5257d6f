"""Writing SDFormat: elements, poses, colours, lights, meshes and the parts that worlds and robots share.

gz-rendering 8 (ogre2) reckons in linear light: it decodes pictures, takes colours and lights as they are given, and
encodes what it drew. Values that another renderer multiplies as they are would all come out too bright. Of the light
that falls evenly it shows one part in pi (its diffuse colours hold that factor, for which it makes up in lamps alone).
Parts of a colour above 1 are taken as of 255.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.simulation.scene import Material, Shape

Element = ElementTree.Element
Value = str | bool | float | Sequence[float]
Tree = Mapping[str, "Value | Tree"]
VERSION = "1.11"  # that Gazebo Harmonic writes (sdformat 14); later ones read it
SEEN = 0xFFFFFFFD  # visibility mask of a robot's own sensors, which do not see the robot
DARK = (0.15, 0.16, 0.2, 1.0)


def add(parent: Element, tag: str, value: Value | Tree | None = None, **attributes: str) -> Element:
    """Appends `<tag attribute="...">value</tag>` to `parent`, with numbers as SDFormat reads them; a mapping becomes
    elements within."""
    element = ElementTree.SubElement(parent, tag, attributes)
    if isinstance(value, Mapping):
        for name, own in value.items():
            add(element, name, own)
    elif value is not None:
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
    return add(
        parent, "plugin", parameters, filename=f"gz-sim-{system}-system", name=f"gz::sim::systems::{name}"
    )  # fmt: skip


def gazebo_topic(name: str, topic: str) -> str:
    """Gazebo's topic of a robot's `topic`; `name` is that of its model."""
    return f"/model/{name}/{topic.lstrip('/')}"


def add_shape(parent: Element, kind: str, size: Sequence[float]) -> None:
    """Adds the geometry of a box of `size` (3,), of a cylinder of radius and length, or of a sphere of a radius [m]."""
    shapes: dict[str, Tree] = {"box": {"size": size}, "sphere": {"radius": size[0]}}
    if kind == "cylinder":
        shapes["cylinder"] = {"radius": size[0], "length": size[1]}
    add(parent, "geometry", {kind: shapes[kind]})


def add_inertia(link: Element, mass: float, moments: Sequence[float], pose: Sequence[float] = ()) -> None:
    """Adds `mass` [kg] and moments of inertia (3,) [kg m^2] about the axes of `pose` (6,), or of the link."""
    placed: Tree = {"pose": pose} if len(pose) else {}
    entries = zip(("ixx", "iyy", "izz", "ixy", "ixz", "iyz"), (*moments, 0.0, 0.0, 0.0), strict=True)
    add(link, "inertial", {**placed, "mass": mass, "inertia": dict(entries)})


def add_part(link: Element, tag: str, name: str, pose: Sequence[float], kind: str, size: Sequence[float]) -> Element:
    """Adds a `visual` or `collision` of a robot: a `kind` and `size` (see `add_shape`) at `pose` (6,) of the link."""
    part = add(link, tag, {"pose": pose}, name=f"{name}_{tag}")
    add_shape(part, kind, size)
    if tag == "visual":
        add(part, "visibility_flags", 0xFFFFFFFF & ~SEEN)
    return part


def add_friction(collision: Element, friction: float) -> None:
    """Gives a collision its friction, the same in all directions."""
    add(collision, "surface", {"friction": {"ode": {"mu": friction, "mu2": friction}}})


def unique_names(names: Iterable[str]) -> dict[str, str]:
    """Names as SDFormat and file systems take them, by the names that were given; no two are the same."""
    found: dict[str, str] = {}
    for name in names:
        own = plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.") or "unnamed"
        taken, number = set(found.values()), 1
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


# Light and colours


@dataclass(frozen=True)
class EvenLight:
    """Light from everywhere and along the view, as a scene's own and as what surfaces give off themselves."""

    scene: float  # the `<ambient>` of the scene
    lying: float  # share of its colour that a floor or a ceiling gives off
    standing: float  # the same of all else

    @classmethod
    def of(cls, ambient: float, frontal: float, on_lying: float = 0.4, on_standing: float = 0.8) -> EvenLight:
        """Of light as MuJoCo has it (0..1): the shares are those of a light along the view of a camera that looks ahead
        on what lies, and on what stands, on average, fitted to pictures of `home` by both renderers."""
        lying, standing = (linear(ambient + share * frontal) for share in (on_lying, on_standing))
        scene = min(1.0, math.pi * lying)
        return cls(scene, lying - scene / math.pi, standing - scene / math.pi)


def linear(value: float) -> float:
    """The light that is shown as `value` (0..1, or beyond) after encoding as sRGB (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def linear_color(rgb: Sequence[float]) -> list[float]:
    """The same of a colour (3,)."""
    return [linear(float(value)) for value in rgb]


def add_color(visual: Element, rgba: Sequence[float], glow: float | None = None) -> None:
    """Paints a visual in one colour (4,), of which it gives off the share `glow` itself; None: as Gazebo has it."""
    color = [*linear_color(rgba[:3]), 1.0]
    material: dict[str, Value] = {"ambient": color, "diffuse": color}
    if rgba[3] < 1.0:
        add(visual, "transparency", 1.0 - rgba[3])
    if glow is not None:
        material |= {"specular": [0.0, 0.0, 0.0, 1.0], "emissive": [*(glow * value for value in color[:3]), 1.0]}
    add(visual, "material", material)


def add_picture(visual: Element, picture: str, glow: float, lit: bool = True) -> None:
    """A picture, which is seen in the light that falls on it where it is `lit`, and gives off the share `glow`."""
    dark = [0.0, 0.0, 0.0, 1.0]
    light = [1.0] * 4 if lit else dark
    maps: dict[str, Value] = {"albedo_map": picture} if lit else {}
    if glow > 0:  # without a share of its own, ogre2 would show the picture in full
        maps["emissive_map"] = picture
    add(visual, "material", {
        "ambient": light, "diffuse": light, "specular": dark, "emissive": [glow] * 3 + [1.0],
        "pbr": {"metal": {**maps, "roughness": 1.0, "metalness": 0.0}},
    })  # fmt: skip


def panels_obj(panels: Iterable[tuple[Shape, Material]]) -> str:
    """The faces that are looked at of `panels`, which show one picture; in the frame of the world.

    Pictures repeat from the upper left corner of a face, as in MuJoCo (seen with 4.0.0).
    """
    lines: dict[str, list[str]] = {"v": [], "vt": [], "vn": [], "f": []}

    def line(tag: str, numbers: Iterable[float]) -> None:
        lines[tag].append(f"{tag} " + " ".join(f"{number:.6g}" for number in numbers))

    for number, (shape, material) in enumerate(panels):
        x, y = np.array(shape.axes)
        normal = np.cross(x, y)
        middle = np.array(shape.position) + normal * shape.size[2]
        for across, up in ((-1, -1), (1, -1), (1, 1), (-1, 1)):  # counter-clockwise for one who looks at it
            line("v", middle + across * shape.size[0] * x + up * shape.size[1] * y)
            line("vt", [material.repeat[0] * (across + 1) / 2, 1 - material.repeat[1] * (1 - up) / 2])
        line("vn", normal)
        lines["f"].append("f " + " ".join(f"{4 * number + k}/{4 * number + k}/{number + 1}" for k in (1, 2, 3, 4)))
    return "\n".join(text for group in lines.values() for text in group) + "\n"
