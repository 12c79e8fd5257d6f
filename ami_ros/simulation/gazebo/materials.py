"""How visuals look in Gazebo: in one colour, or with a picture."""

from __future__ import annotations

from collections.abc import Sequence

from ami_ros.simulation.gazebo.light import linear_color
from ami_ros.simulation.gazebo.sdf import Element, add


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
