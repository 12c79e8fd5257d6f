"""The .msg texts of installed message types, for self-describing bags."""

from __future__ import annotations

import re
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from ami_ros.errors import AmiError
from ami_ros.learning.bag_writer import message_types

_FIELD = re.compile(r"^(?:(?P<package>\w+)/(?:msg/)?)?(?P<name>[A-Z]\w*)(?:\[.*?\])?\s+\w+", re.MULTILINE)


def message_definitions(type_name: str) -> dict[str, str]:
    """Texts by type name: of `type_name` ("package/msg/Name") and of all that it is made of, ROS 2's own left out.

    Raises:
        AmiError: the package is not installed, or without its .msg files.
    """
    known, found = message_types().fielddefs, {}
    waiting = [type_name]
    while waiting:
        name = waiting.pop()
        if name in known or name in found:
            continue
        package = name.split("/")[0]
        found[name] = _text(name)
        for field in _FIELD.finditer(found[name]):
            waiting.append(f"{field['package'] or package}/msg/{field['name']}")
    return found


def _text(type_name: str) -> str:
    package, _, name = type_name.split("/")
    try:
        return (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text("utf-8")
    except (PackageNotFoundError, OSError):
        raise AmiError(f"no definition of {type_name}: install {package}, or leave its topic out") from None
