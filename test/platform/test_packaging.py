"""What package.xml, setup.py and the requirements say agrees with the code."""

import ast
import importlib
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from catkin_pkg.changelog import get_changelog_from_path
from catkin_pkg.package import parse_package
from catkin_pkg.package_version import get_forthcoming_label, update_changelog_sections

import ami_ros
from harness.processes import REPOSITORY

MANIFEST = ElementTree.parse(REPOSITORY / "package.xml").getroot()
REQUIREMENTS = {file.stem: file.read_text() for file in (REPOSITORY / "requirements").glob("*.txt")}
SETUP = (REPOSITORY / "setup.py").read_text()
EXECUTABLES = re.findall(r'"(\w+)"', re.search(r"NODES = \(([^)]*)\)", SETUP).group(1))  # type: ignore[union-attr]

# Import name -> what it is called on the package index and by rosdep, where that differs.
ON_INDEX = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "cosmic_ray": "cosmic-ray",
    "faiss": "faiss-cpu",
    "lance": "pylance",
    "sqlite_vec": "sqlite-vec",
    "stable_worldmodel": "stable-worldmodel",
}
IN_ROSDEP = {
    "PIL": "python3-pil",
    "cv2": "python3-opencv",
    "mujoco": "python3-mujoco-pip",
    "rosbags": "python3-rosbags-pip",
}
# safetensors is not in rosdep; lz4 comes with rosbags.
NOT_IN_ROSDEP = {"safetensors", "lz4"}
# What ./ami installs for its commands, and rosdep unless AMI_ROBOT_ONLY is set.
COMMANDS = ("cli", "report", "sim", "train")


def test_version_is_the_same_everywhere() -> None:
    assert MANIFEST.findtext("version") == ami_ros.__version__
    assert f'version="{ami_ros.__version__}"' in SETUP
    interfaces = ElementTree.parse(REPOSITORY / "ami_interfaces" / "package.xml").getroot()
    assert interfaces.findtext("version") == ami_ros.__version__


def test_every_import_is_declared() -> None:
    everywhere, desk_only = _exec_depends(AMI_ROBOT_ONLY="1"), _exec_depends() - _exec_depends(AMI_ROBOT_ONLY="1")
    robot, commands = _on_index("runtime"), _on_index(*COMMANDS) | {"lz4"}
    others = _on_index(*(set(REQUIREMENTS) - {"runtime", *COMMANDS}))
    for name in sorted(_imported_packages() - everywhere):  # but for ROS
        package, key = ON_INDEX.get(name, name), IN_ROSDEP.get(name, f"python3-{name}")
        assert package in robot | commands | others, f"{name}: add it to package.xml or requirements/"
        if package in robot | commands and name not in NOT_IN_ROSDEP:
            found = everywhere if package in robot else desk_only
            assert key in found, f"{name}: add its rosdep key to package.xml"


def test_every_file_of_requirements_is_what_a_robot_needs_or_an_extra_or_for_development() -> None:
    extras = re.findall(r'"(\w+)"', re.search(r"EXTRAS = \(([^)]*)\)", SETUP).group(1))  # type: ignore[union-attr]
    assert sorted([*extras, "runtime", "ros"]) == sorted(REQUIREMENTS)


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_executable_has_a_main(executable: str) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2")
    assert callable(importlib.import_module(f"ami_ros.ros.nodes.{executable}").main)


def test_every_node_is_an_executable() -> None:
    modules = {path.stem for path in (REPOSITORY / "ami_ros" / "ros" / "nodes").glob("*.py")} - {"__init__"}
    assert modules == set(EXECUTABLES)


@pytest.mark.parametrize("package", ["ami_ros", "ami_interfaces"])
def test_the_release_tools_read_and_move_the_changelog(package: str, tmp_path: Path) -> None:
    """As catkin_prepare_release does before bloom: what is forthcoming becomes a version."""
    folder = REPOSITORY if package == "ami_ros" else REPOSITORY / package
    file = tmp_path / "CHANGELOG.rst"
    file.write_bytes((folder / file.name).read_bytes())
    changelog = get_changelog_from_path(str(file), package)
    label = get_forthcoming_label(changelog.rst)
    assert label == "Forthcoming" and f"Changelog for package {package}" in changelog.rst
    update_changelog_sections({package: (str(file), changelog, label)}, "1.2.3")
    released = get_changelog_from_path(str(file), package).get_content_of_version("1.2.3")
    (entries,) = released
    assert len(entries.bullets) == changelog.rst.count("\n* ")


def test_both_manifests_are_whole() -> None:
    for folder in (REPOSITORY, REPOSITORY / "ami_interfaces"):
        assert not parse_package(str(folder / "package.xml")).validate()


def test_licence_is_the_one_in_the_manifest() -> None:
    assert MANIFEST.findtext("license") == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()


def _exec_depends(**environment: str) -> set[str]:
    """What rosdep installs in an environment."""
    package = parse_package(str(REPOSITORY / "package.xml"))
    package.evaluate_conditions(environment)
    return {d.name for d in package.exec_depends if d.evaluated_condition}


def _on_index(*files: str) -> set[str]:
    """The packages in files of requirements/."""
    lines = [line for name in files for line in REQUIREMENTS[name].splitlines()]
    return {re.split(r"[<>=\[]", line)[0].lower() for line in lines if line and not line.startswith("#")}


def _imported_packages() -> set[str]:
    """Top-level names of what the package and the launch files import, but for the standard library and themselves."""
    files = [*(REPOSITORY / "ami_ros").rglob("*.py"), *(REPOSITORY / "launch").rglob("*.py")]
    names = {name for file in files for name in _imports(file)}
    return names - sys.stdlib_module_names - {"ami_ros"}


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names
