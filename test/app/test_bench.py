"""A bench that is told nothing drives with what ships."""

from pathlib import Path

import pytest

from ami_ros.app.bench import model_and_memory
from ami_ros.errors import AmiError


def test_model_that_ships_and_the_memory_beside_it_are_the_default() -> None:
    model, memory = model_and_memory(None, None, "home")
    assert (model / "weights.safetensors").is_file() and memory == model / "home.memory"


def test_those_that_are_named_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "my.memory"
    file.touch()
    assert model_and_memory(tmp_path, file, "home") == (tmp_path, file)


def test_memory_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"no memory .*home\.memory; make one with ./ami remember"):
        model_and_memory(tmp_path, None, "home")
