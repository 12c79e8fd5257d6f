"""Finding Gazebo: what is missing is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.ros.start.gazebo import PREFIX, find_gazebo


def installed(folder: Path, answer: str = "echo 8.14.0") -> dict[str, str]:
    """An environment that names a folder with a `gz` that answers so."""
    program, bindings = folder / "bin" / "gz", folder / "lib" / "python" / "gz" / "transport13"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    bindings.mkdir(parents=True)
    (bindings / "__init__.py").touch()
    return {PREFIX: str(folder), "PATH": "/usr/bin:/bin"}


def test_gazebo_in_a_folder_of_its_own_is_found_with_what_its_processes_need(tmp_path: Path) -> None:
    found = find_gazebo(installed(tmp_path, "echo 8.14.0; echo 7.9.0"))
    assert (found.program, found.version) == (str(tmp_path / "bin" / "gz"), "8.14.0")
    assert found.environment["PATH"].split(":") == [str(tmp_path / "bin"), "/usr/bin", "/bin"]
    assert found.environment["PYTHONPATH"] == str(tmp_path / "lib" / "python")
    assert found.environment["GZ_CONFIG_PATH"] == str(tmp_path / "share" / "gz")


def test_gazebo_in_the_path_changes_no_environment(tmp_path: Path) -> None:
    installed(tmp_path)
    path = {"PATH": f"{tmp_path}/bin:/bin", "PYTHONPATH": str(tmp_path / "lib" / "python")}
    assert find_gazebo(path).environment == {}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({"PATH": "/nowhere"}, "no gz in PATH: install"), ({PREFIX: "/nowhere", "PATH": ""}, "no gz in /nowhere/bin")],
)
def test_no_gazebo_is_one_line(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(AmiError, match=reason) as error:
        find_gazebo(environment)
    assert "\n" not in str(error.value)


def test_gazebo_without_bindings_or_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    broken = installed(tmp_path / "broken", "echo noise >&2; echo 'cannot load such file' >&2; exit 1")
    with pytest.raises(AmiError, match=r"does not run: cannot load such file$"):
        find_gazebo(broken)
    bare = installed(tmp_path / "bare")
    (tmp_path / "bare" / "lib" / "python" / "gz" / "transport13" / "__init__.py").unlink()
    with pytest.raises(AmiError, match="Gazebo is there, but not gz"):
        find_gazebo(bare)
