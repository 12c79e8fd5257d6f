"""Which tests `ami test` is told to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.cli.tools import REPOSITORY, _path_from_here
from ami_ros.core.errors import AmiError


def test_a_path_counts_from_the_folder_that_the_user_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY / "test")
    assert _path_from_here("test_docs.py::test_it") == f"{REPOSITORY / 'test' / 'test_docs.py'}::test_it"
    assert _path_from_here("test/test_docs.py") == "test/test_docs.py"
    assert _path_from_here("-x") == "-x" and _path_from_here("not slow") == "not slow"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With several workers pytest said only that no test ran."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AmiError, match=r"there is no file test/nope\.py"):
        _path_from_here("test/nope.py::test_it")
