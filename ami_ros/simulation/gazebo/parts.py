"""What the links of a robot are made of: shapes that are seen or touched, their colour and friction."""

from __future__ import annotations

from collections.abc import Sequence

from ami_ros.simulation.gazebo.light import linear_color
from ami_ros.simulation.gazebo.sdf import ROBOT_FLAG, Element, add, add_shape

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
