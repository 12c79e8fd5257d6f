"""The style that everyone here keeps to, checked by tools."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


def test_hooks_run_what_is_there_and_find_nothing_in_any_file() -> None:
    [repository] = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    hooks = {kind: [h for h in repository["hooks"] if h["language"] == kind] for kind in ("system", "pygrep")}
    assert all(hook["entry"].startswith("./ami shell ") for hook in hooks["system"])
    assert len(hooks["system"]) == 3 and len(hooks["pygrep"]) == 3
    texts = {file: text for file in _files() if (text := _text(file)) is not None}
    assert len(texts) > 100
    for hook in hooks["pygrep"]:
        flags = 0 if "--multiline" in hook.get("args", ()) else re.MULTILINE
        assert [str(file) for file, text in texts.items() if re.search(hook["entry"], text, flags)] == [], hook["name"]


def test_no_constant_is_set_twice_in_a_module() -> None:
    """The threshold that was documented stood above another one, which counted; no linter says so."""
    twice = []
    for file in sorted((REPOSITORY / "ami_ros").rglob("*.py")):
        names = [
            name.id
            for statement in ast.parse(file.read_text()).body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and name.id.isupper()
        ]
        twice += [f"{file.relative_to(REPOSITORY)}: {name}" for name in sorted(set(names)) if names.count(name) > 1]
    assert twice == []


def _files() -> list[Path]:
    """Of the repository, new ones included; all that is there where it is no clone, as in a colcon workspace."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    files = [REPOSITORY / name for name in listed.stdout.splitlines()] or REPOSITORY.glob("[a-z]*/**/*")
    return [file for file in files if file.is_file()]


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:  # a picture, or weights
        return None
