"""The style that everyone here keeps to, checked by tools."""

import subprocess
import sys

import pytest

from harness.processes import REPOSITORY

LAYERS = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"


@pytest.mark.parametrize(
    "check",
    [("-m", "ruff", "check"), ("-m", "ruff", "format", "--check"), ("-m", "mypy"), ("-c", LAYERS)],
    ids=["ruff", "format", "mypy", "layers"],
)
def test_tool_finds_nothing(check: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, *check], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert result.returncode == 0, result.stdout
