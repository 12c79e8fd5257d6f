"""Tables in Markdown, and those of a node's parameters, from the dataclass that it declares."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ami_ros.ros.node.parameters import describe, group_of

HEADER = ("parameter", "default", "allowed", "what")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell or begin a tag is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "\\<")


def parameter_tables(cls: type[Any]) -> list[str]:
    """One table for the parameters of `cls`, and one below a heading for each group of them."""
    parts: list[str] = []
    for prefix, group in _groups(cls):
        if prefix:
            summary = (group.__doc__ or "").strip().splitlines()[0]
            parts.append(f"`{prefix}*`: {summary}")
        parts.append(table(HEADER, _rows(group, prefix)))
    return parts


def parameter_names(cls: type[Any], given: dict[str, Any] | None = None) -> list[str]:
    """All parameters of `cls`, with the names of their groups; and of the groups that `given` values name."""
    return [name for name, *_ in describe(cls, given)]


def _groups(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, type[Any]]]:
    yield prefix, cls
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if (named := group_of(hints[field.name])) is not None:
            yield f"{prefix}NAME.", named
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _groups(hints[field.name], f"{prefix}{field.name}.")


def _rows(cls: type[Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    hints, comments = typing.get_type_hints(cls), field_comments(cls)
    defaults = {name: default for name, default, *_ in describe(cls)}
    for field in dataclasses.fields(cls):
        if field.name not in defaults:  # a group
            continue
        unit = field.metadata.get("unit", "")
        doc = field.metadata.get("doc") or comments[field.name]
        what = f"[{unit}] {doc}" if unit else doc
        yield f"`{prefix}{field.name}`", _text(defaults[field.name]), _allowed(hints[field.name], field), what


def _allowed(hint: Any, field: dataclasses.Field[Any]) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    limits = field.metadata.get("limits")
    return f"{limits[0]:,} to {limits[1]:,}" if limits else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "empty"


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
