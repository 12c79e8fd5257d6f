"""Counts the source by its syntax trees: files, lines of code, module constants and functions, a package a row.

A line of code is none that is blank, a comment, a docstring or an import. A module constant is a name in capitals that
is set at the top of a file. `python test/harness/house.py` prints the table.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS = ("files", "code", "constants", "functions")


def count(text: str) -> Counter[str]:
    """What one file has, by the names in COLUMNS."""
    tree, lines = ast.parse(text), text.splitlines()
    left_out = {number for number, line in enumerate(lines, 1) if not line.strip() or line.strip().startswith("#")}
    functions = 0
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        functions += is_function
        if isinstance(node, ast.Module | ast.ClassDef) or is_function:
            first = node.body[0] if node.body else None  # type: ignore[attr-defined]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                left_out.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    constants = sum(isinstance(target, ast.Name) and target.id.isupper() for target in targets)
    return Counter(files=1, code=len(lines) - len(left_out), constants=constants, functions=functions)


def packages(folder: Path) -> dict[str, Counter[str]]:
    """What each package in `folder` has; the last row, "all", is their sum."""
    rows: dict[str, Counter[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        inside = file.relative_to(folder).parts
        rows.setdefault(inside[0] if len(inside) > 1 else "(top)", Counter()).update(count(file.read_text("utf-8")))
    return {**rows, "all": sum(rows.values(), Counter())}


def table(rows: dict[str, Counter[str]], columns: Iterable[str] = COLUMNS) -> str:
    """The rows as text."""
    lines = [f"{'':14}" + "".join(f"{column:>11}" for column in columns)]
    return "\n".join(lines + [f"{name:14}" + "".join(f"{row[c]:>11}" for c in columns) for name, row in rows.items()])


if __name__ == "__main__":
    sys.stdout.write(f"{table(packages(REPOSITORY / 'ami_ros'))}\n")
