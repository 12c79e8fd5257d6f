"""Names of memories are files of their folder, and lead nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code
from ami_ros.memory.names import memory_beside, named_file


@pytest.mark.parametrize("name", ["", "..", "../home", "/etc/passwd", "a/b", "a\\b", ".hidden", "x" * 65, "a\n", "ä"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(AmiError, match="and no path") as refused:
        named_file(tmp_path, name)
    assert refused.value.code == Code.INVALID_INPUT


def test_names_are_files_of_the_folder(tmp_path: Path) -> None:
    assert named_file(tmp_path, "home-2.old") == tmp_path / "home-2.old.memory"
    with pytest.raises(AmiError, match="no folder"):
        named_file(None, "home")


@pytest.mark.parametrize("world", ["home", "worlds/home.yaml"])
def test_a_world_has_its_memory_beside_the_model(world: str) -> None:
    assert memory_beside(Path("models/onboard"), world) == Path("models/onboard/home.memory")
