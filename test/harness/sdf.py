"""Reads SDFormat as Gazebo does: rules that a document has to keep, and what it holds at a height."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Element = ElementTree.Element
Matrix = NDArray[np.float64]

ROBOTS = (
    "ami_bot",
    "ami_bot_ackermann",
    "ami_bot_omnidirectional",
    "turtlebot3_waffle_pi",
    "turtlebot3_burger",
    "drawn:7",
)  # of each kind one


def broken_rules(path: Path) -> list[str]:
    """What is wrong with a document, nothing of a good one: version, names, joints, files, numbers."""
    root = ElementTree.parse(path).getroot()
    found = [] if (root.tag, root.get("version")) == ("sdf", "1.11") else ["it is no document of version 1.11"]
    for element in root.iter():
        # Siblings of all kinds share one room for names since version 1.7, but for plugins.
        names = [child.get("name", "") for child in element if "name" in child.attrib and child.tag != "plugin"]
        found += [f"{element.tag}: {name} occurs {n} times" for name, n in Counter(names).items() if n > 1]
        found += [
            f"{element.tag}: '{name}' is no name" for name in names if not name or "::" in name or name[:2] == "__"
        ]
        if element.tag in ("pose", "size", "radius", "length", "mass", "ixx", "iyy", "izz", "lower", "upper", "xyz"):
            numbers = [float(word) for word in (element.text or "").split()]
            endless = element.tag in ("lower", "upper")  # of a wheel
            if not numbers or not (np.isfinite(numbers) | endless).all() or np.isnan(numbers).any():
                found.append(f"{element.tag}: '{element.text}' is no number")
            if element.tag in ("size", "radius", "length", "mass", "ixx", "iyy", "izz") and min(numbers) <= 0:
                found.append(f"{element.tag}: {element.text} is not positive")
        if element.tag in ("uri", "albedo_map", "emissive_map") and not (path.parent / (element.text or "")).is_file():
            found.append(f"{element.text}: no such file")
    for model in root.iter("model"):
        found += _broken_joints(model)
    return found


def _broken_joints(model: Element) -> Iterator[str]:
    links = {link.get("name") for link in model.findall("link")}
    joints = {joint.get("name") for joint in model.findall("joint")}
    if not links:
        yield f"model {model.get('name')} has no link"
    for joint in model.findall("joint"):
        for end, more in (("parent", {"world"}), ("child", set())):
            if joint.findtext(end) not in links | more:
                yield f"joint {joint.get('name')}: there is no link {joint.findtext(end)}"
    for plugin in model.findall("plugin"):
        for tag in ("joint_name", "left_joint", "right_joint"):
            yield from (f"plugin: no joint {e.text}" for e in plugin.findall(tag) if e.text not in joints)


@dataclass(frozen=True)
class Solid:
    """A box or a cylinder in the world."""

    kind: str
    place: Matrix  # (4, 4), of its own frame in the world
    half: tuple[float, float, float]  # of a cylinder its radius twice, and half its length

    def distance(self, points: Matrix) -> Matrix:
        """From `points` (n, 2) to its outline seen from above (n,) [m], 0 within."""
        local = (points - self.place[:2, 3]) @ self.place[:2, :2]
        if self.kind == "cylinder":
            return np.maximum(np.hypot(*local.T) - self.half[0], 0.0)
        return np.hypot(*np.maximum(np.abs(local) - self.half[:2], 0.0).T)

    def reaches(self, low: float, high: float) -> bool:
        """Whether a part of it lies between two heights [m]."""
        middle = self.place[2, 3]
        return bool(middle - self.half[2] < high and middle + self.half[2] > low)


def solids(path: Path, tag: str) -> list[Solid]:
    """All boxes and cylinders of the elements `tag` (collision, visual) of a world, its robots left out."""
    world = ElementTree.parse(path).getroot().find("world")
    assert world is not None
    found = []
    for model in world.findall("model"):
        if any((plugin.get("name") or "").endswith("Drive") for plugin in model.findall("plugin")):
            continue
        for link in model.findall("link"):
            for part in link.findall(tag):
                place = _pose(model) @ _pose(link) @ _pose(part)
                shape = part.find("geometry")
                assert shape is not None
                box, cylinder = shape.find("box"), shape.find("cylinder")
                if box is not None:
                    x, y, z = (float(v) / 2 for v in (box.findtext("size") or "").split())
                    found.append(Solid("box", place, (x, y, z)))
                elif cylinder is not None:
                    radius, length = (float(cylinder.findtext(t) or "nan") for t in ("radius", "length"))
                    found.append(Solid("cylinder", place, (radius, radius, length / 2)))
    return found


def _pose(element: Element) -> Matrix:
    numbers = [float(v) for v in (element.findtext("pose") or "0 0 0 0 0 0").split()]
    place = np.eye(4)
    place[:3, 3] = numbers[:3]
    place[:3, :3] = Rotation.from_euler("xyz", numbers[3:]).as_matrix()
    return place


def clearance(found: list[Solid], points: Matrix) -> Matrix:
    """From `points` (n, 2) to the nearest of what was found (n,) [m]."""
    nearest = np.full(len(points), np.inf)
    for solid in found:
        nearest = np.minimum(nearest, solid.distance(points))
    return nearest


def moved(path: Path, positions: dict[str, float]) -> list[Solid]:
    """As `solids` of collisions, with the joints whose controller listens to a topic of `positions` brought there."""
    tree = ElementTree.parse(path)
    for model in tree.getroot().iter("model"):
        for plugin in model.findall("plugin"):
            if (topic := plugin.findtext("topic")) not in positions:
                continue
            joint = next(j for j in model.findall("joint") if j.get("name") == plugin.findtext("joint_name"))
            low, high = (float(joint.findtext(f"axis/limit/{end}") or "nan") for end in ("lower", "upper"))
            position = positions[topic]
            assert low <= position <= high and joint.findtext("axis/xyz") == "0 0 1", joint.get("name")
            pose = model.find("pose")
            assert pose is not None
            numbers = [float(v) for v in (pose.text or "").split()]
            numbers[2 if joint.get("type") == "prismatic" else 5] += position
            pose.text = " ".join(str(v) for v in numbers)
    there = path.with_suffix(".moved.sdf")
    tree.write(there)
    return solids(there, "collision")


def encoded(value: float) -> float:
    """What Gazebo's renderer writes into a picture for an amount of light: sRGB (IEC 61966-2-1)."""
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _shown(text: str | None) -> str:
    """A colour (3,) of a document, as a renderer has to be told that does not encode."""
    return " ".join(str(encoded(float(word))) for word in (text or "").split()[:3])


def as_mjcf(path: Path, cameras: str) -> tuple[str, dict[str, bytes]]:
    """What is seen of a world, as a document for MuJoCo and its files; `cameras` are its cameras' elements.

    All light comes from everywhere, as SDFormat's ambient light does.
    """
    world = ElementTree.parse(path).getroot().find("world")
    assert world is not None
    ambient = _shown(world.findtext("scene/ambient"))
    root = ElementTree.fromstring(
        f"""<mujoco><statistic extent="4"/><visual><map znear="0.01" zfar="20"/>
        <headlight ambient="{ambient}" diffuse="0 0 0" specular="0 0 0"/></visual>
        <asset/><worldbody>{cameras}</worldbody></mujoco>"""
    )
    asset, body, files = root[2], root[3], dict[str, bytes]()
    for model in world.findall("model"):
        for link in model.findall("link"):
            for number, seen in enumerate(link.findall("visual")):
                name = f"{model.get('name')}_{link.get('name')}_{number}"
                _add_geom(asset, body, files, path.parent, seen, name, _pose(model) @ _pose(link) @ _pose(seen))
    return ElementTree.tostring(root, encoding="unicode"), files


def _add_geom(
    asset: Element, body: Element, files: dict[str, bytes], folder: Path, seen: Element, name: str, place: Matrix
) -> None:
    x, y, z, w = Rotation.from_matrix(place[:3, :3]).as_quat()
    geom = ElementTree.SubElement(body, "geom", contype="0", conaffinity="0", quat=f"{w} {x} {y} {z}")
    geom.set("pos", " ".join(str(v) for v in place[:3, 3]))
    shines = seen.findtext("material/pbr/metal/emissive_map")
    picture = shines or seen.findtext("material/pbr/metal/albedo_map")
    if picture:
        files[f"{name}.png"] = (folder / picture).read_bytes()
        ElementTree.SubElement(asset, "texture", name=name, type="2d", file=f"{name}.png")
        emission = "1" if shines else "0"
        ElementTree.SubElement(asset, "material", name=name, texture=name, emission=emission, specular="0")
        geom.set("material", name)
    else:
        geom.set("rgba", f"{_shown(seen.findtext('material/diffuse'))} 1")
    mesh, box = seen.findtext("geometry/mesh/uri"), seen.findtext("geometry/box/size")
    if mesh:
        files[f"{name}.obj"] = (folder / mesh).read_bytes()
        ElementTree.SubElement(asset, "mesh", name=name, file=f"{name}.obj", inertia="shell")
        geom.attrib |= {"type": "mesh", "mesh": name}
    elif box:
        geom.attrib |= {"type": "box", "size": " ".join(str(float(v) / 2) for v in box.split())}
    else:
        radius, length = (float(seen.findtext(f"geometry/cylinder/{t}") or "nan") for t in ("radius", "length"))
        geom.attrib |= {"type": "cylinder", "size": f"{radius} {length / 2}"}
