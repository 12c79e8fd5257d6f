"""Interfaces tell the truth: each field is filled or read by a node, and each code is given by somebody.

Read from the source, so that a field which nobody fills any more shows up, whichever test happens to run.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ami_interfaces.action as actions
import ami_interfaces.msg as messages
import ami_interfaces.srv as services
from ami_ros.behaviour.task import Code as MissionCode
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.planning.types import Code as GoalCode

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "ami_ros"
PARTS = {"action": ("Goal", "Result", "Feedback"), "srv": ("Request", "Response")}
RECEIVED = ("Goal", "Request")  # what clients fill, and nodes read


def all_parts() -> Iterator[tuple[str, type]]:
    """Name and type of every message, request, response, goal, result and feedback."""
    for module in (messages, services, actions):
        kind = module.__name__.rsplit(".", 1)[1]
        for name in sorted(n for n in vars(module) if n[0].isupper() and "_" not in n):
            found = getattr(module, name)
            if kind == "msg":
                yield name, found
            else:
                yield from ((f"{name}.{part}", getattr(found, part)) for part in PARTS[kind])


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}


@cache
def codes_given() -> set[str]:
    """Names of codes that some module reads, as Code.NO_ROUTE or Response.NOT_ACTIVE."""
    holders = ("Code", "codes", "Response", "Result")
    return {
        node.attr
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and getattr(node.value, "id", getattr(node.value, "attr", "")).endswith(holders)
    }


@cache
def users_of(name: str) -> list[ast.Module]:
    """Modules that import the interface `name`, and those that import these."""
    direct = {path for path, tree in modules().items() if name in imported(tree)}
    stems = {path.stem for path in direct}
    return [tree for path, tree in modules().items() if path in direct or stems & imported(tree)]


@cache
def imported(tree: ast.Module) -> set[str]:
    """Last parts of what a module imports, and of where from."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names} | {(node.module or "").rsplit(".", 1)[-1]}
    return found


@cache
def written(tree: ast.Module) -> set[str]:
    """Names that are given as keywords, or assigned or appended to as attributes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                found |= {node.func.value.attr} if isinstance(node.func.value, ast.Attribute) else set()
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
            if isinstance(node.value, ast.Attribute):  # header.stamp = ...
                found.add(node.value.attr)
    return found


@cache
def read(tree: ast.Module) -> set[str]:
    """Names that are read as attributes."""
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}


@pytest.mark.parametrize(("name", "part"), list(all_parts()), ids=[name for name, _ in all_parts()])
def test_every_field_is_filled_or_read(name: str, part: type) -> None:
    fields = set(part.get_fields_and_field_types())  # type: ignore[attr-defined]
    users = users_of(name.split(".")[0])
    assert users, f"nobody uses {name}"
    uses = read if name.endswith(RECEIVED) else written
    known: set[str] = set().union(*(uses(tree) for tree in users))
    # Offered by `AmiNode.offer` for every service.
    known |= {"success", "error_code", "error_msg"} if name.endswith("Response") else set()
    assert fields <= known, f"{name}: nobody {'reads' if uses is read else 'fills'} {sorted(fields - known)}"


def codes_of(part: type) -> dict[str, int]:
    """Constants of error_code: those above 10000."""
    names = [n for n in dir(type(part)) if n.isupper()]
    return {n: getattr(part, n) for n in names if isinstance(getattr(part, n), int) and getattr(part, n) > 9999}


SERVICES = {name for name, _ in all_parts() if name.endswith("Response")}
BY_OFFER = {"NOT_ACTIVE", "UNKNOWN"}  # `AmiNode.offer` gives them for every service
CODED = [(name, part) for name, part in all_parts() if codes_of(part)]


@pytest.mark.parametrize(("name", "part"), CODED, ids=[name for name, _ in CODED])
def test_every_code_is_given_by_somebody(name: str, part: type) -> None:
    for code in codes_of(part):
        given = code in codes_given()
        assert given or (name in SERVICES and code in BY_OFFER), f"{name}.{code} is never given"


def test_codes_in_python_are_those_of_the_interfaces() -> None:
    for codes, parts in (
        (GoalCode, [actions.NavigateToGoal.Result]),
        (MissionCode, [actions.RunMission.Result]),
        (MemoryCode, [services.FindRoute.Response, services.RememberPlace.Response, services.MemoryFile.Response]),
    ):
        known = {value for part in parts for value in codes_of(part).values()}
        assert {int(code) for code in codes if code} <= known


def greatest_size(name: str) -> float:
    """Bytes of the longest message of a type, as `pkg/Name` or a ROS primitive, what is unbounded left out."""
    sizes = {"boolean": 1, "octet": 1, "uint8": 1, "int8": 1, "float": 4, "double": 8}
    if found := re.fullmatch(r"(.+)\[(\d+)\]", name):
        return int(found[2]) * greatest_size(found[1])
    if found := re.fullmatch(r"sequence<(.+), (\d+)>", name):
        return int(found[2]) * greatest_size(found[1])
    if name.startswith("sequence") or name in ("string", "wstring"):
        return 0
    if found := re.fullmatch(r"w?string<(\d+)>", name):
        return int(found[1])
    if "/" in name:
        package, kind = name.split("/")
        return size_of(getattr(importlib.import_module(f"{package}.msg"), kind))
    return sizes.get(name) or int(re.sub(r"\D", "", name)) / 8


def size_of(part: type) -> float:
    fields: dict[str, str] = part.get_fields_and_field_types()  # type: ignore[attr-defined]
    return sum(greatest_size(kind) for kind in fields.values())


@pytest.mark.parametrize(("name", "part"), list(all_parts()))
def test_no_interface_has_a_bound_that_is_large(name: str, part: type) -> None:
    """Fast DDS reserves room for a hundred of the longest messages at each end of a topic or service, be it 28 GB, of
    which 15 MB become resident; for what is unbounded it reserves nothing."""
    assert size_of(part) < 100_000, f"{name}: {size_of(part):.0f} bytes; give its large sequence no bound"
