"""Frozen dataclasses as ROS parameters: declared with descriptors and ranges, read strictly.

A field of the dataclass is a parameter of its name; a nested dataclass gives dotted names. `parameter(...)` adds
what `ros2 param describe` shows. Optional strings and paths are empty strings on the ROS side.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ami_ros.config import from_mapping
from ami_ros.errors import AmiError

T = TypeVar("T")

# Parameters that rclpy itself brings to every node.
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides")


def parameter(
    default: Any, doc: str, unit: str = "", limits: tuple[float, float] | None = None, mutable: bool = False
) -> Any:
    """A dataclass field that says what `ros2 param describe` should show.

    Args:
        default: the value where none is given.
        doc: one line.
        unit: of the value, as "m/s".
        limits: smallest and largest value allowed.
        mutable: can be set while the node runs (`watch`); everything else is read-only.
    """
    return dataclasses.field(default=default, metadata={"doc": doc, "unit": unit, "limits": limits, "mutable": mutable})


@dataclasses.dataclass(frozen=True)
class _Leaf:
    """One parameter: a field that is no dataclass itself."""

    name: str
    hint: Any
    field: dataclasses.Field[Any]

    @property
    def default(self) -> Any:
        if self.field.default is not dataclasses.MISSING:
            return self.field.default
        assert self.field.default_factory is not dataclasses.MISSING, f"parameter {self.name} needs a default"
        return self.field.default_factory()


def declare(node: Node, cls: type[T]) -> T:
    """Declares every field of `cls` on `node` and returns the values given to it.

    Raises:
        AmiError: a parameter that no field has, a wrong type, or a value out of range.
    """
    leaves = list(_leaves(cls))
    overrides = {name: override.value for name, override in node._parameter_overrides.items()}
    _refuse_unknown(node, leaves, overrides)
    values: dict[str, Any] = {}
    for leaf in leaves:
        value = overrides.get(leaf.name)
        value = _ros_value(leaf.default) if value is None else _checked(leaf, value, node.get_name())
        node.declare_parameter(leaf.name, value, _descriptor(leaf), ignore_override=True)
        values[leaf.name] = value
    return _build(cls, values, node.get_name())


def watch(node: Node, cls: type[T], on_change: Callable[[T], None]) -> None:
    """Calls `on_change` with the new values when a mutable parameter of `cls` was set to something valid."""
    leaves = {leaf.name: leaf for leaf in _leaves(cls)}

    def set_parameters(changes: list[Parameter]) -> SetParametersResult:
        values = {name: node.get_parameter(name).value for name in leaves}
        try:
            for change in changes:
                if change.name in leaves:
                    values[change.name] = _checked(leaves[change.name], change.value, node.get_name())
            on_change(_build(cls, values, node.get_name()))
        except AmiError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(set_parameters)


def describe(cls: type[Any]) -> list[tuple[str, Any, str, str]]:
    """Name, default, unit and documentation of every parameter of `cls`, for tables."""
    return [
        (leaf.name, _ros_value(leaf.default), leaf.field.metadata.get("unit", ""), leaf.field.metadata.get("doc", ""))
        for leaf in _leaves(cls)
    ]


def _leaves(cls: type[Any], prefix: str = "") -> Iterator[_Leaf]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _leaves(typing.cast(type[Any], hint), f"{prefix}{field.name}.")
        else:
            yield _Leaf(f"{prefix}{field.name}", hint, field)


def _refuse_unknown(node: Node, leaves: list[_Leaf], overrides: dict[str, Any]) -> None:
    known = {leaf.name for leaf in leaves} | set(node._parameters)
    for name in overrides:
        if name not in known and name.split(".")[0] not in _FOREIGN:
            raise AmiError(f"{node.get_name()}: unknown parameter '{name}'; known are {', '.join(sorted(known))}")


def _checked(leaf: _Leaf, value: Any, where: str) -> Any:
    """`value` in the type of the parameter, an integer taken for a float where one is due."""
    default = _ros_value(leaf.default)
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


def _build(cls: type[T], values: dict[str, Any], where: str) -> T:
    nested: dict[str, Any] = {}
    for leaf in _leaves(cls):
        *groups, name = leaf.name.split(".")
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
        target[name] = _core_value(leaf.hint, values[leaf.name])
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


def _descriptor(leaf: _Leaf) -> ParameterDescriptor:
    metadata = leaf.field.metadata
    unit = f" [{metadata['unit']}]" if metadata.get("unit") else ""
    descriptor = ParameterDescriptor(description=metadata.get("doc", "") + unit, read_only=not metadata.get("mutable"))
    if typing.get_origin(leaf.hint) is typing.Literal:
        descriptor.additional_constraints = f"one of {', '.join(map(str, typing.get_args(leaf.hint)))}"
    limits = metadata.get("limits")
    if limits and isinstance(leaf.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]))]
    elif limits:
        descriptor.integer_range = [IntegerRange(from_value=int(limits[0]), to_value=int(limits[1]), step=1)]
    return descriptor
