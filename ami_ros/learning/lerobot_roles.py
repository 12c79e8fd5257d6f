"""Which feature of a LeRobotDataset is what to a mobile base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros import commands
from ami_ros.errors import AmiError
from ami_ros.learning import lerobot_layout as layout

Part = tuple[str, tuple[int, ...] | None]  # a feature, and which of its numbers; None: all

WIDTHS = {"image": None, "command": 2, "odometry": 3, "velocity": 2, "heading": 1, "truth": 3, "stamp": 1, "scan": None}
USUAL: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "command": (layout.ACTION, commands.NAMES),
    "odometry": (layout.STATE, layout.POSE_NAMES),
    "velocity": (layout.STATE, commands.NAMES),
    "heading": (layout.HEADING, None),
    "truth": (layout.TRUTH, None),
    "stamp": (layout.STAMP, None),
    "scan": (layout.SCAN, None),
}
REQUIRED = ("image", "command", "odometry")


def find_roles(
    folder: Path, features: Mapping[str, Any], mapping: Mapping[str, str], width: int = 2
) -> dict[str, Part]:
    """Role -> part of a feature, from `mapping` or by the names that our own export gives.

    Args:
        folder: of the data set.
        features: by name.
        mapping: role to `feature`, or to some numbers of it (`feature:0,1`).
        width: numbers in commands and velocities.

    Raises:
        AmiError: a required role is missing or ambiguous, or the mapping names what is not there.
    """
    found: dict[str, Part] = {}
    widths = WIDTHS | {"command": width, "velocity": width}
    for role, text in mapping.items():
        if role not in WIDTHS:
            raise AmiError(f"topics: unknown role '{role}'; known are {', '.join(WIDTHS)}")
        found[role] = _parsed(folder, features, role, text, widths[role])
    for role, (feature, named) in USUAL.items():
        if role not in found and feature in features:
            names = named[: widths[role]] if named is not None else None
            part = _by_names(features[feature], feature, names, widths[role])
            if part is not None:
                found[role] = part
    cameras = [name for name, feature in features.items() if feature["dtype"] in ("video", "image")]
    if "image" not in found and len(cameras) == 1:
        found["image"] = (cameras[0], None)
    for role in REQUIRED:
        if role not in found:
            there = ", ".join(cameras if role == "image" else features)
            raise AmiError(
                f"{folder}: which of {there or 'no features'} is the {role}? Say so: --topic {role}=FEATURE"
                + ("" if role == "image" else f":{','.join(map(str, range(widths[role] or 0)))}")
            )
    return found


def pick(table: Any, feature: str, numbers: tuple[int, ...] | None) -> NDArray[Any]:
    """Values (n, width) of a feature in a table."""
    column = table.column(feature).combine_chunks()
    values = np.asarray(column.flatten() if hasattr(column, "flatten") and column.type.num_fields else column)
    values = values.reshape(table.num_rows, -1)
    return values if numbers is None else values[:, list(numbers)]


def _parsed(folder: Path, features: Mapping[str, Any], role: str, text: str, width: int | None) -> Part:
    """`feature` or `feature:0,1,2`."""
    feature, has_numbers, listed = text.partition(":")
    size = int(np.prod(features[feature]["shape"])) if feature in features else 0
    try:
        numbers = tuple(int(number) for number in listed.split(",")) if has_numbers else None
    except ValueError:
        numbers = ()
    is_fit = feature in features and (numbers is None or all(0 <= number < size for number in numbers))
    if not is_fit or (width is not None and width != (size if numbers is None else len(numbers))):
        there = ", ".join(f"{name} {feature['shape']}" for name, feature in features.items())
        raise AmiError(f"{folder} has no {text} fit for '{role}' ({width or 'any'} numbers); it has {there}")
    return feature, numbers


def _by_names(feature: Mapping[str, Any], name: str, wanted: tuple[str, ...] | None, width: int | None) -> Part | None:
    """The numbers that are named as wanted; all of them where nothing is wanted, or the width alone fits."""
    names = feature.get("names")
    if wanted is not None and isinstance(names, list) and set(wanted) <= set(names):
        return name, tuple(names.index(n) for n in wanted)
    size = int(np.prod(feature["shape"]))
    return (name, None) if wanted is None or (size == width and not names) else None
