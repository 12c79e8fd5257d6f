"""Writing SDFormat: elements, poses, colours, lights, meshes and the parts that worlds and robots share.

gz-rendering 8 (ogre2) reckons in linear light: it decodes pictures, takes colours and lights as they are given, and
encodes what it drew. Values that another renderer multiplies as they are would all come out too bright. Of the light
that falls evenly it shows one part in pi (its diffuse colours hold that factor, for which it makes up in lamps alone).
Parts of a colour above 1 are taken as of 255.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.simulation.scene import Material, Shape

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


def add_color(visual: Element, rgba: Sequence[float], glow: float) -> None:
    """Paints a visual in one colour (4,), of which it gives off the share `glow` itself."""
    if rgba[3] < 1.0:
        add(visual, "transparency", 1.0 - rgba[3])
    material, color = add(visual, "material"), linear_color(rgba[:3])
    for tag in ("ambient", "diffuse"):
        add(material, tag, [*color, 1.0])
    add(material, "specular", [0.0, 0.0, 0.0, 1.0])
    add(material, "emissive", [*(glow * value for value in color), 1.0])


def add_picture(visual: Element, picture: str, glow: float, lit: bool = True) -> None:
    """A picture, which is seen in the light that falls on it where it is `lit`, and gives off the share `glow`."""
    material = add(visual, "material")
    light, dark = [1.0] * 4, [0.0, 0.0, 0.0, 1.0]
    add(material, "ambient", light if lit else dark)
    add(material, "diffuse", light if lit else dark)
    add(material, "specular", dark)
    add(material, "emissive", [glow] * 3 + [1.0])
    surface = add(add(material, "pbr"), "metal")
    if lit:
        add(surface, "albedo_map", picture)
    if glow > 0:  # without a share of its own, ogre2 would show the picture in full
        add(surface, "emissive_map", picture)
    add(surface, "roughness", 1.0)
    add(surface, "metalness", 0.0)


# Corners of a face, counter-clockwise for one who looks at it.
CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def panels_obj(panels: Iterable[tuple[Shape, Material]]) -> str:
    """The faces that are looked at of `panels`, which show one picture; in the frame of the world.

    Pictures repeat from the upper left corner of a face, as in MuJoCo (seen with 4.0.0).
    """
    points, coordinates, normals, faces = [], [], [], []
    for number, (shape, material) in enumerate(panels):
        x, y = np.array(shape.axes)
        normal = np.cross(x, y)
        middle = np.array(shape.position) + normal * shape.size[2]
        for across, up in CORNERS:
            points.append(middle + across * shape.size[0] * x + up * shape.size[1] * y)
            coordinates.append([material.repeat[0] * (across + 1) / 2, 1 - material.repeat[1] * (1 - up) / 2])
        normals.append(normal)
        faces.append(" ".join(f"{4 * number + k}/{4 * number + k}/{number + 1}" for k in (1, 2, 3, 4)))
    lines = [_line("v", point) for point in points]
    lines += [_line("vt", pair) for pair in coordinates]
    lines += [_line("vn", normal) for normal in normals]
    return "\n".join([*lines, *(f"f {face}" for face in faces)]) + "\n"


def _line(tag: str, numbers: Iterable[float]) -> str:
    return f"{tag} " + " ".join(f"{number:.6g}" for number in numbers)


DARK = (0.15, 0.16, 0.2, 1.0)


def add_part(
    link: Element, tag: str, name: str, pose: Sequence[float], kind: str, size: Sequence[float]
) -> Element:  # fmt: skip
    """Adds a `visual` or `collision` of a `kind` and `size` (see `sdf.add_shape`) at `pose` (6,) of the link."""
    part = add(link, tag, name=f"{name}_{tag}")
    add(part, "pose", pose)
    add_shape(part, kind, size)
    if tag == "visual":
        add(part, "visibility_flags", ROBOT_FLAG)
    return part


def paint(visual: Element, rgba: Sequence[float]) -> None:
    """Gives a visual its colour."""
    material = add(visual, "material")
    for tag in ("ambient", "diffuse"):
        add(material, tag, [*linear_color(rgba[:3]), 1.0])


def add_friction(collision: Element, friction: float) -> None:
    """Gives a collision its friction, the same in all directions."""
    ode = add(add(add(collision, "surface"), "friction"), "ode")
    add(ode, "mu", friction)
    add(ode, "mu2", friction)
