"""What is printed is what it says: a building's kind, which stands between colons, is no emoji."""

from __future__ import annotations

import ast
from pathlib import Path

import ami_ros

CODE = Path(ami_ros.__file__).parent


def test_no_console_makes_emojis_of_names() -> None:
    """`building:office:1` was printed with the picture of an office."""
    found, wrong = 0, []
    for file in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                found += 1
                if said.get("emoji") != "False":
                    wrong.append(f"{file.relative_to(CODE)}:{node.lineno}")
    assert found > 10 and not wrong
