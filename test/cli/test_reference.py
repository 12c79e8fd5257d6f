"""README and docs say what the code does: generated tables, the graph, commands, options, parameters, interfaces."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")

from ami_ros.bench.command import spelled_out
from ami_ros.cli.commands import find_command
from ami_ros.cli.main import functions
from ami_ros.core.config import field_comments
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import describe
from ami_ros.ros.start.graph import Arguments, declared
from harness import reference
from harness.pages import PAGES, blocks, commands, page_name
from harness.processes import REPOSITORY
from harness.reference import parameter_names
from harness.ros import RosPeer

README = REPOSITORY / "README.md"
WHAT_TO_DO = "run: ./ami shell python test/harness/reference.py"
COMMON = {"autostart", "use_sim_time", "start_type_description_service"}


def command_lines(start: str) -> list[Any]:
    """The lines of all pages that begin with `start`, as words."""
    lines = [line for page in PAGES for block in commands(page) for line in block.lines]
    words = [shlex.split(line, comments=True) for line in lines if line.startswith(start)]
    return [pytest.param(w, id=" ".join(w)) for w in words]


def test_reference_is_what_the_code_says() -> None:
    assert (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8") == reference.reference(), WHAT_TO_DO


def test_graph_of_the_readme_is_what_the_code_says() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == reference.readme(text), WHAT_TO_DO


def test_readme_without_a_place_for_the_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="no '<!-- graph"):
        reference.readme("# ami_ros\n")


def test_every_parameter_has_a_meaning() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", reference.reference().split("## Parameters")[1], re.MULTILINE)
    assert rows and [name for name, meaning in rows if not meaning.strip()] == []


@pytest.mark.parametrize("node", sorted(INTERFACES))
def test_node_has_the_parameters_of_the_reference(ros: RosPeer, node: str) -> None:
    module = vars(importlib.import_module(f"ami_ros.ros.nodes.{node}"))
    made: AmiNode[Any] = module[f"{node.title().replace('_', '')}Node"](context=ros.context)
    ros.add(made)
    names = set(made._parameters) - COMMON
    assert names == set(parameter_names(reference.PARAMETERS[node]))
    changes = {parameter.name: parameter.change for parameter in describe(reference.PARAMETERS[node])}
    assert all(made.describe_parameter(name).read_only == (changes[name] == "no") for name in names)
    words = {name: made.describe_parameter(name).description for name in made._parameters}
    assert [name for name, text in words.items() if not re.search(r"[a-z]{2,} [a-z]", text)] == []


def test_comments_belong_to_their_fields() -> None:
    class Plain:
        first: int = 1  # [m] of it
        second: tuple[int, int] = (1, 2)
        # Not about a field.
        third: str = "#"  # a # in it

    class Derived(Plain):
        second: tuple[int, int] = (3, 4)  # anew

    assert field_comments(Derived) == {"first": "[m] of it", "second": "anew", "third": "a # in it"}


@pytest.mark.parametrize("words", command_lines("./ami"))
def test_command_line_is_understood(words: list[str]) -> None:
    name, *arguments = words[1:]
    found = find_command(name)
    assert found is not None
    if name == "shell":
        return program_is_there(arguments)
    if name == "test":
        return
    parts, part = functions(found), ""
    if "" not in parts:
        part, *arguments = spelled_out(arguments) if name == "bench" else arguments
    app = typer.Typer(add_completion=False)
    app.command()(parts[part])
    command = typer.main.get_command(app)
    command.make_context(name, list(arguments))  # raises for what it does not know


def program_is_there(words: list[str]) -> None:
    """Modules and files that `./ami shell` is to run; a command of ours is looked at like any other."""
    module = next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "-m"), None)
    if module == "ami_ros.cli":
        test_command_line_is_understood(["./ami", *words[words.index(module) + 1 :]])
    assert module is None or importlib.util.find_spec(module) is not None
    scripts = [word for word in words if word.endswith(".py")]
    assert all((REPOSITORY / script).is_file() for script in scripts)


@pytest.mark.parametrize("words", command_lines("ros2 launch"))
def test_launch_arguments_are_those_of_the_file(words: list[str]) -> None:
    assert words[2] == "ami_ros"
    name, file = words[3].removesuffix(".launch.py"), REPOSITORY / "launch" / words[3]
    given = dict(word.split(":=", 1) for word in words[4:])
    if own := set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', file.read_text())):  # of what is not ours to start
        assert set(given) <= own
        return
    parts, _ = reference._launch_call(file)
    assert name in reference.LAUNCH_FILES and set(given) <= {field.name for field in declared(parts)}
    Arguments.parse(given)


@pytest.mark.parametrize("words", [*command_lines("ros2 service call"), *command_lines("ros2 action send_goal")])
def test_request_has_the_fields_of_its_type(words: list[str]) -> None:
    name, type_name, text = words[3:6]
    package, kind, cls = type_name.split("/")
    interface = getattr(importlib.import_module(f"{package}.{kind}"), cls)
    known = {
        n.replace("~", node, 1) for node in INTERFACES for n in (*INTERFACES[node].services, *INTERFACES[node].actions)
    }
    assert re.sub(r"^/(robot\d/)?", "", name) in known
    fill(interface.Goal() if kind == "action" else interface.Request(), yaml.safe_load(text))


def fill(message: Any, values: dict[str, Any]) -> None:
    """Sets fields, which check their types; a field that is not there is an AttributeError."""
    for name, value in values.items():
        old = getattr(message, name)
        if isinstance(value, dict):
            fill(old, value)
        else:
            setattr(message, name, value)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_parameters_and_robots_in_examples_exist(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        values = yaml.safe_load(block.text)
        if "sensors" in values:
            (tmp_path / "robot.yaml").write_text(block.text)
            load_robot(tmp_path / "robot.yaml")
            continue
        for key, section in values.items():
            given = flat(section["ros__parameters"])
            assert set(given) <= set(parameter_names(reference.PARAMETERS[key.rpartition("/")[2]], given))


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.mark.parametrize("picture", sorted((REPOSITORY / "docs" / "figures").glob("*")), ids=lambda p: p.name)
def test_picture_is_small(picture: Path) -> None:
    assert picture.stat().st_size < 400_000
