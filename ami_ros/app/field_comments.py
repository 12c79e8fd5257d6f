"""What the source says about the fields of a dataclass: the comment behind each."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from typing import Any


def field_comments(cls: type[Any]) -> dict[str, str]:
    """Field name -> the comment at the end of its line, "" without one; of `cls` and the dataclasses that it extends.

    Only lines that a formatter keeps together count: a comment above a field is for those who read the code.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        source = textwrap.dedent(inspect.getsource(base))
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
        definition = ast.parse(source).body[0]
        assert isinstance(definition, ast.ClassDef)
        for statement in definition.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = comments.get(statement.end_lineno or 0, "")
    return found
