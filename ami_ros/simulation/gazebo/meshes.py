"""Panels as Wavefront OBJ meshes: SDFormat's own boxes stretch a picture over each face, these repeat it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ami_ros.simulation.scene import Material, Shape

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
