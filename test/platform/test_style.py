"""The style that everyone here keeps to, checked by tools."""

import subprocess
import sys

import pytest

from harness.processes import REPOSITORY


@pytest.mark.parametrize("check", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join)
def test_tool_finds_nothing(check: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *check], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert result.returncode == 0, result.stdout
