"""The launch files under the real launch library: they start what the description of the graph says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.ros.start.graph import Arguments, declared, processes
from harness.processes import REPOSITORY

pytest.importorskip("launch_ros", reason="the launch library is not installed here (the ROS wheels do not have it)")

FILES: dict[str, tuple[Any, ...]] = {
    "bringup": ("stack",),
    "sim": ("simulation",),
    "demo": ("simulation", "stack"),
    "gate": ("gate",),
}


def load(name: str) -> Any:
    """The LaunchDescription of a launch file."""
    file = REPOSITORY / "launch" / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def visit(description: Any, **values: str) -> list[Any]:
    """The actions that a launch of `description` with `values` comes to."""
    from launch import LaunchContext

    context = LaunchContext()
    context.launch_configurations.update(values)
    found: list[Any] = []
    pending = list(description.entities)
    while pending:
        entity = pending.pop(0)
        found.append(entity)
        pending += entity.visit(context) or []
    return found


@pytest.mark.parametrize("name", sorted(FILES))
def test_launch_file_declares_the_arguments_of_its_parts(name: str) -> None:
    arguments = {argument.name for argument in load(name).get_launch_arguments()}
    assert arguments == {field.name for field in declared(FILES[name])}


@pytest.mark.parametrize("composed", ["true", "false"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_launch_file_starts_the_processes_of_the_graph(
    name: str, composed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import launch_ros.actions

    packages = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    packages.mkdir(parents=True)
    (packages / "rviz2").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    started: list[str] = []
    known: dict[str, dict[str, Any]] = {}

    class Recorded:
        """Takes the place of a process."""

        def __init__(self, *, executable: str, **options: Any) -> None:
            started.append(executable)
            known[executable] = options

        def visit(self, context: Any) -> None:
            """Nothing follows."""

    monkeypatch.setattr(launch_ros.actions, "Node", Recorded)
    monkeypatch.setattr("ami_ros.ros.start.launching.Node", Recorded, raising=False)
    values = {"headless": "false", "robot": "ami_bot_omnidirectional", "namespace": "r1", "scan_topic": "lidar"}
    if "stack" in FILES[name]:
        values["composed"] = composed
    visit(load(name), **values)
    expected = processes(Arguments(robot="ami_bot_omnidirectional", composed=composed == "true"), FILES[name])
    assert started == [*(spec.executable for spec in expected), "rviz2"]
    rviz = known["rviz2"]
    assert rviz["namespace"] == "r1" and ("/tf", "tf") in rviz["remappings"] and ("scan", "lidar") in rviz["remappings"]
    assert "Fixed Frame: map\n" in Path(rviz["arguments"][1]).read_text()


def test_missing_rviz_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(AmiError, match=r"^rviz2 is not installed; headless:=true does without$"):
        visit(load("demo"), headless="false")
