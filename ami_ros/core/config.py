"""Configuration: nested mappings (from YAML or from parameters) into frozen dataclasses, strictly; what fields mean."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import math
import textwrap
import tokenize
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml

from ami_ros.core.errors import AmiError

T = TypeVar("T")

# What files from outside may ask for: more than any of ours holds, and little enough to be read in a moment.
MAX_TEXT, MAX_DEPTH = 16_000_000, 32  # characters, collections in one another
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Any:
    """What a YAML text holds. Aliases are refused: a few of them expand to more than any memory holds.

    Raises:
        yaml.YAMLError: it is none, has aliases, or is too long or too deep.
    """
    if len(text) > MAX_TEXT:
        raise yaml.YAMLError(f"more than {MAX_TEXT} characters")
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases (*{event.anchor}) are not read: write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"more than {MAX_DEPTH} collections in one another")
    try:
        return yaml.load(text, Loader=_LOADER)
    except (ValueError, RecursionError, OverflowError) as error:  # dates that are none, numbers of a thousand digits
        raise yaml.YAMLError(str(error)) from error


class _WithoutAliases(yaml.SafeDumper):
    """Writes what stands in several places once for each: neither rcl nor `parse_yaml` reads aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump_yaml(values: Any) -> str:
    """A YAML text that `parse_yaml` reads, in the order of `values`."""
    return yaml.dump(values, Dumper=_WithoutAliases, sort_keys=False)


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str = "configuration") -> T:
    """Builds the frozen dataclass `cls` from `values`.

    Args:
        cls: a dataclass; its fields may be dataclasses, tuples, optionals and plain values.
        values: one entry a field; fields with a default may be missing.
        where: what the user calls the source of `values`, for messages.

    Raises:
        AmiError: an unknown key, a missing one, a wrong type, or a value that `cls` refuses
            (a `ValueError` from its `__post_init__`).
    """
    assert dataclasses.is_dataclass(cls)
    if not isinstance(values, Mapping):
        raise AmiError(f"{where}: expected a mapping, found {values!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in known:
            raise AmiError(f"{where}: unknown key '{key}'; known are {', '.join(known)}")
    for name, field in known.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise AmiError(f"{where}: '{name}' is missing")
    converted = {k: _convert(hints[k], v, f"{where}: {k}") for k, v in values.items()}
    try:
        return cls(**converted)
    except ValueError as error:
        raise AmiError(f"{where}: {error}") from error


def with_settings(config: T, settings: Sequence[str], where: str = "--set") -> T:
    """`config` with some values replaced, as a command line gives them.

    Args:
        config: a dataclass.
        settings: `key=value` each; a dotted key (`weights.sigreg`) reaches into nested dataclasses, and values are
            written as in YAML.
        where: as in `from_mapping`.

    Raises:
        AmiError: as `from_mapping`, or something that is no `key=value`.
    """
    values = to_mapping(config)
    for setting in settings:
        key, is_pair, text = setting.partition("=")
        if not is_pair:
            raise AmiError(f"{where}: '{setting}' is not of the form key=value")
        *path, name = key.strip().split(".")
        inner = values
        for depth, part in enumerate(path):
            if not isinstance(inner.get(part), dict):
                raise AmiError(f"{where}: unknown key '{'.'.join(path[: depth + 1])}'; known are {', '.join(inner)}")
            inner = inner[part]
        inner[name] = _parse(text, where)
    return from_mapping(type(config), values, where)


def _parse(text: str, where: str) -> Any:
    try:
        value = parse_yaml(text)
    except yaml.YAMLError:
        raise AmiError(f"{where}: '{text}' is not a value") from None
    if isinstance(value, str):
        try:
            return float(value)  # 1e-3, which YAML takes for a word
        except ValueError:
            pass
    return value


def field_comments(cls: type[Any]) -> dict[str, str]:
    """Field name -> the comment at the end of its line, "" without one; of `cls` and the dataclasses that it extends.

    Only lines that a formatter keeps together count: a comment above a field is for those who read the code.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except OSError:  # installed without its sources
            return {field.name: "" for field in dataclasses.fields(cls)}
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
        definition = ast.parse(source).body[0]
        assert isinstance(definition, ast.ClassDef)
        for statement in definition.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = comments.get(statement.end_lineno or 0, "")
    return found


def parameter(
    default: Any, doc: str, unit: str = "", limits: tuple[float, float] | None = None, mutable: bool = False
) -> Any:
    """A dataclass field that says what `ros2 param describe` should show.

    Args:
        default: the value where none is given.
        doc: one line.
        unit: of the value, as "m/s".
        limits: smallest and largest value allowed.
        mutable: can be set while the node runs (`ros.node.parameters.watch`); everything else is read-only.
    """
    return dataclasses.field(default=default, metadata={"doc": doc, "unit": unit, "limits": limits, "mutable": mutable})


def named(doc: str) -> Any:
    """A field of type `dict[str, SomeDataclass]`: a list of names, and a group of parameters for each."""
    return dataclasses.field(default_factory=dict, metadata={"doc": doc})


def group(
    cls: type[Any], mutable: Sequence[str] | None = (), lower: Sequence[str] = (), higher: Sequence[str] = ()
) -> Any:
    """A dataclass field that is a dataclass itself, of the core, which knows nothing of nodes.

    Args:
        cls: the dataclass.
        mutable: names of its parameters, or of groups of them, that can be set while the node runs; None: all.
        lower: those that can be, and not above what they were at start: limits that others rely on.
        higher: the same, not below.
    """
    names = [field.name for field in dataclasses.fields(cls)] if mutable is None else mutable
    changes = dict.fromkeys(names, "free") | dict.fromkeys(lower, "lower") | dict.fromkeys(higher, "higher")
    return dataclasses.field(default_factory=cls, metadata={"changes": changes})


def to_mapping(config: Any) -> dict[str, Any]:
    """The inverse of `from_mapping`: plain values, fit for YAML."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _convert(next(a for a in args if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in args:
            raise AmiError(f"{where}: '{value}' is not one of {', '.join(map(str, args))}")
        return value
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise AmiError(f"{where}: expected a mapping, found {value!r}")
        return {_convert(args[0], k, where): _convert(args[1], v, f"{where}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_mapping(hint, value, where)
    return _convert_scalar(hint, value, where)


def _convert_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise AmiError(f"{where}: expected a list, found {value!r}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if len(args) != len(value):
        raise AmiError(f"{where}: expected {len(args)} values, found {len(value)}")
    return tuple(_convert(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > 2**1000:
            raise AmiError(f"{where}: a number of {value.bit_length()} bits is too large")
        return float(value)
    if (isinstance(value, bool) and hint is not bool) or not isinstance(value, hint):
        raise AmiError(f"{where}: expected {getattr(hint, '__name__', hint)}, found {value!r}")
    if isinstance(value, float) and math.isnan(value):
        raise AmiError(f"{where}: expected a number, found NaN")
    return value
