"""Tables in Markdown, and those of a node's parameters, from the dataclass that it declares."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ami_ros.ros.node.parameters import Change, Described, describe, group_of

HEADER = ("parameter", "default", "allowed", "while it runs", "what")
CHANGES: dict[Change, str] = {"no": "", "free": "yes", "lower": "lower", "higher": "higher"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell or begin a tag is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "\\<")


def parameter_tables(cls: type[Any]) -> list[str]:
    """One table for the parameters of `cls`, and one below a heading for each group of them."""
    parts: list[str] = []
    described = {parameter.name: parameter for parameter in describe(cls)}
    changes = any(parameter.change != "no" for parameter in described.values())
    for prefix, group in _groups(cls):
        if prefix:
            summary = (group.__doc__ or "").strip().splitlines()[0]
            parts.append(f"`{prefix}*`: {summary}")
        if prefix.endswith("NAME."):  # of named groups, none of which is there
            described |= {f"{prefix}{one.name}": one for one in describe(group)}
        rows = [*_rows(group, prefix, described)]
        keep = [k for k, _ in enumerate(HEADER) if changes or HEADER[k] != HEADER[3]]
        parts.append(table([HEADER[k] for k in keep], [[row[k] for k in keep] for row in rows]))
    return parts


def parameter_names(cls: type[Any], given: dict[str, Any] | None = None) -> list[str]:
    """All parameters of `cls`, with the names of their groups; and of the groups that `given` values name."""
    return [parameter.name for parameter in describe(cls, given)]


def _groups(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, type[Any]]]:
    yield prefix, cls
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if (named := group_of(hints[field.name])) is not None:
            yield from _groups(named, f"{prefix}NAME.")
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _groups(hints[field.name], f"{prefix}{field.name}.")


def _rows(cls: type[Any], prefix: str, described: Mapping[str, Described]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = f"{prefix}{field.name}"
        if name not in described:  # a group
            continue
        one = described[name]
        what = f"[{one.unit}] {one.doc}" if one.unit else one.doc
        yield f"`{name}`", _text(one.default), _allowed(hints[field.name], field), CHANGES[one.change], what


def _allowed(hint: Any, field: dataclasses.Field[Any]) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    limits = field.metadata.get("limits")
    return f"{limits[0]:,} to {limits[1]:,}" if limits else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "empty"
