"""Frozen dataclasses as ROS parameters: declared with descriptors and ranges, read strictly.

A field of the dataclass is a parameter of its name; a nested dataclass gives dotted names. What `ros2 param describe`
shows comes from `parameter(...)`, or from the comment at the end of the field's line. Optional strings and paths are
empty strings on the ROS side. A field of type `dict[str, SomeDataclass]` is a list of names, and one group of
parameters for each of them, as Nav2 has it: `polygons: [front]`, `front.type`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ami_ros.core.config import field_comments, from_mapping
from ami_ros.core.errors import AmiError

T = TypeVar("T")
Change = Literal["no", "free", "lower", "higher"]  # while the node runs; lower, higher: not beyond the value at start


@dataclasses.dataclass(frozen=True)
class Described:
    """One parameter: a field that is no dataclass itself."""

    name: str
    hint: Any
    field: dataclasses.Field[Any]
    path: tuple[str, ...]  # where it is in the nested mapping
    doc: str  # without the unit that `parameter` names
    change: Change

    @property
    def is_names(self) -> bool:
        """It lists the names of groups."""
        return group_of(self.hint) is not None

    @property
    def default(self) -> Any:
        """As ROS has it."""
        if self.field.default is not dataclasses.MISSING:
            return _ros_value(self.field.default)
        assert self.field.default_factory is not dataclasses.MISSING, f"parameter {self.name} needs a default"
        return [] if self.is_names else _ros_value(self.field.default_factory())

    @property
    def unit(self) -> str:
        return str(self.field.metadata.get("unit", ""))


def declare(node: Node, cls: type[T]) -> T:
    """Declares every field of `cls` on `node` and returns the values given to it.

    Raises:
        AmiError: a parameter that no field has, a wrong type, or a value out of range.
    """
    overrides = _overrides(node)
    leaves = describe(cls, overrides)
    _refuse_unknown(node, leaves, overrides)
    values: dict[str, Any] = {}
    for leaf in leaves:
        value = overrides.get(leaf.name)
        value = leaf.default if value is None else _checked(leaf, value, node.get_name())
        node.declare_parameter(leaf.name, value, _descriptor(leaf), ignore_override=True)
        values[leaf.name] = value
    return _build(cls, leaves, values, node.get_name())


def watch(node: Node, cls: type[T], allow: Callable[[T], None], changed: Callable[[T], None]) -> None:
    """Lets the mutable parameters of `cls` be set while `node` runs.

    Args:
        node: `declare` has declared them on it.
        cls: the dataclass.
        allow: called with the new values before they are set; an AmiError refuses them.
        changed: called with the new values once they are set.
    """
    leaves = {leaf.name: leaf for leaf in describe(cls, _overrides(node))}
    start = {name: node.get_parameter(name).value for name in leaves}

    def values_with(changes: list[Parameter]) -> T:
        values = {name: node.get_parameter(name).value for name in leaves}
        for change in changes:
            if change.name in leaves:
                values[change.name] = _changed(leaves[change.name], change.value, start[change.name], node.get_name())
        return _build(cls, leaves.values(), values, node.get_name())

    def before(changes: list[Parameter]) -> SetParametersResult:
        try:
            if any(change.name in leaves for change in changes):
                allow(values_with(changes))
        except AmiError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def after(changes: list[Parameter]) -> None:
        if any(change.name in leaves for change in changes):
            changed(values_with([]))

    node.add_on_set_parameters_callback(before)
    node.add_post_set_parameters_callback(after)


def group_of(hint: Any) -> type[Any] | None:
    """The dataclass of a field of named groups; None of other fields."""
    arguments = typing.get_args(hint)
    named_groups = typing.get_origin(hint) is dict and dataclasses.is_dataclass(arguments[1])
    return typing.cast(type[Any], arguments[1]) if named_groups else None


def describe(cls: type[Any], given: dict[str, Any] | None = None) -> list[Described]:
    """Every parameter of `cls`; of named groups those that `given` values name."""
    return list(_leaves(cls, given))


def _overrides(node: Node) -> dict[str, Any]:
    """Values given at start."""
    return {name: override.value for name, override in node._parameter_overrides.items()}


def _leaves(
    cls: type[Any],
    overrides: dict[str, Any] | None = None,
    prefix: str = "",
    path: tuple[str, ...] = (),
    changes: Mapping[str, Change] | None = None,
) -> Iterator[Described]:
    """All parameters of `cls`; those of named groups where `overrides` names them.

    `changes` by the name of a parameter, or of a group of them, below `cls`.
    """
    comments, hints = field_comments(cls), typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint, inner = hints[field.name], (*path, field.name)
        if dataclasses.is_dataclass(hint):
            below = _changes_below(field, changes or {}, typing.cast(type[Any], hint))
            yield from _leaves(typing.cast(type[Any], hint), overrides, f"{prefix}{field.name}.", inner, below)
            continue
        own: Change = "free" if field.metadata.get("mutable") else "no"
        doc = field.metadata.get("doc") or comments[field.name]
        leaf = Described(f"{prefix}{field.name}", hint, field, inner, doc, (changes or {}).get(field.name, own))
        yield leaf
        group, names = group_of(hint), (overrides or {}).get(leaf.name, ())
        if group is not None and isinstance(names, list | tuple):
            for name in names:
                yield from _leaves(group, overrides, f"{prefix}{name}.", (*inner, str(name)))


def _changes_below(field: dataclasses.Field[Any], changes: Mapping[str, Change], cls: type[Any]) -> dict[str, Change]:
    """How parameters of `cls`, the type of a field, change; what is said of single ones goes above what is of all."""
    found: dict[str, Change] = dict(field.metadata.get("changes", {}))
    if field.name in changes:
        found |= dict.fromkeys((f.name for f in dataclasses.fields(cls)), changes[field.name])
    start = f"{field.name}."
    return found | {name.removeprefix(start): value for name, value in changes.items() if name.startswith(start)}


def _refuse_unknown(node: Node, leaves: list[Described], overrides: dict[str, Any]) -> None:
    count = Counter(leaf.name for leaf in leaves)
    if twice := sorted({name.split(".")[0] for name in count if count[name] > 1}):
        raise AmiError(f"{node.get_name()}: the name {', '.join(twice)} is given twice; choose another one")
    known = set(count) | set(node._parameters)
    foreign = ("use_sim_time", "start_type_description_service", "qos_overrides")  # rclpy's own
    for name in overrides:
        if name not in known and name.split(".")[0] not in foreign:
            raise AmiError(f"{node.get_name()}: unknown parameter '{name}'; known are {', '.join(sorted(known))}")


def _checked(leaf: Described, value: Any, where: str) -> Any:
    """`value` in the type of the parameter, an integer taken for a float where one is due."""
    if leaf.hint is Any:  # text, or numbers
        return value if isinstance(value, str) or not hasattr(value, "__len__") else list(value)
    default = leaf.default
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(default, list):
        if not hasattr(value, "__len__") or isinstance(value, str):
            raise AmiError(f"{where}: parameter '{leaf.name}' must be a list, not {value!r}")
        value = [float(v) if default and isinstance(default[0], float) else v for v in value]
    if type(value) is not type(default):
        raise AmiError(f"{where}: parameter '{leaf.name}' must be of type {type(default).__name__}, not {value!r}")
    limits = leaf.field.metadata.get("limits")
    if limits and not limits[0] <= value <= limits[1]:
        raise AmiError(f"{where}: parameter '{leaf.name}' must be {limits[0]} to {limits[1]}, not {value}")
    return value


def _changed(leaf: Described, value: Any, start: Any, where: str) -> Any:
    """`value` as `_checked` gives it, if it may take the place of the one that the node started with."""
    checked = _checked(leaf, value, where)
    if (leaf.change == "lower" and checked > start) or (leaf.change == "higher" and checked < start):
        most = "at most" if leaf.change == "lower" else "at least"
        raise AmiError(
            f"{where}: parameter '{leaf.name}' may be {most} {start} while the node runs, what it was started with"
        )
    return checked


def _build(cls: type[T], leaves: Iterable[Described], values: dict[str, Any], where: str) -> T:
    nested: dict[str, Any] = {}
    for leaf in leaves:
        *groups, name = leaf.path
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
        target[name] = {} if leaf.is_names else _core_value(leaf.hint, values[leaf.name])
    return from_mapping(cls, nested, f"{where}: parameters")


def _ros_value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _core_value(hint: Any, value: Any) -> Any:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value == "" and type(None) in options:
        return None
    return Path(value) if Path in options else value


def _descriptor(leaf: Described) -> ParameterDescriptor:
    unit, limits = f" [{leaf.unit}]" if leaf.unit else "", leaf.field.metadata.get("limits")
    descriptor = ParameterDescriptor(description=leaf.doc + unit, read_only=leaf.change == "no")
    if leaf.change in ("lower", "higher"):
        most = "most" if leaf.change == "lower" else "least"
        descriptor.additional_constraints = f"while the node runs: at {most} what it was at start"
    descriptor.dynamic_typing = leaf.default == []  # rclpy takes an empty list for bytes; `_checked` knows better
    if typing.get_origin(leaf.hint) is typing.Literal:
        descriptor.additional_constraints = f"one of {', '.join(map(str, typing.get_args(leaf.hint)))}"
    if limits and isinstance(leaf.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]))]
    elif limits:
        descriptor.integer_range = [IntegerRange(from_value=int(limits[0]), to_value=int(limits[1]), step=1)]
    return descriptor
