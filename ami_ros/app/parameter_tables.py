"""Tables of a node's parameters, from the dataclass that it declares."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from ami_ros.app.field_comments import field_comments
from ami_ros.app.tables import table
from ami_ros.ros.parameters import describe

HEADER = ("parameter", "default", "allowed", "what")


def parameter_tables(cls: type[Any]) -> list[str]:
    """One table for the parameters of `cls`, and one below a heading for each group of them."""
    parts: list[str] = []
    for prefix, group in _groups(cls):
        if prefix:
            summary = (group.__doc__ or "").strip().splitlines()[0]
            parts.append(f"`{prefix}*`: {summary}")
        parts.append(table(HEADER, _rows(group, prefix)))
    return parts


def parameter_names(cls: type[Any]) -> list[str]:
    """All parameters of `cls`, with the names of their groups."""
    return [name for name, *_ in describe(cls)]


def _groups(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, type[Any]]]:
    yield prefix, cls
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
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
