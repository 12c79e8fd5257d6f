"""What a robot runs starts where only requirements/runtime.txt is installed."""

from __future__ import annotations

import os
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from ami_ros.ros.start.graph import LEARNED, STACK
from harness.processes import REPOSITORY, ChildProcess, Children
from harness.ros import RosPeer
from harness.small_model import save_small_model

NO_EXTRAS = ("ros", "runtime", "test")  # in requirements/
# What a process does without besides, for the memory that it would take.
LEAN: dict[str, set[str]] = {
    "safety": {"cv2", "scipy"},
    "mission": {"cv2", "scipy"},
    "perception": {"scipy"},
    "world_model": {"scipy"},
    "planner": {"scipy"},
}
REFUSAL = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refusal())
"""


def packages(file: Path) -> set[str]:
    """The names in a file of requirements, as the package index spells them."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {re.split(r"[<>=\[]", line)[0].lower().replace("_", "-") for line in lines}


def modules_of_extras() -> set[str]:
    """Import names of all packages that only extras ask for."""
    files = [file for file in (REPOSITORY / "requirements").glob("*.txt") if file.stem not in NO_EXTRAS]
    wanted = set().union(*map(packages, files)) - packages(REPOSITORY / "requirements" / "runtime.txt")
    installed = {name for name, owners in packages_distributions().items() if {o.lower() for o in owners} & wanted}
    return installed | {name.replace("-", "_") for name in wanted}


def refusing(modules: set[str], folder: Path) -> dict[str, str]:
    """The environment of a process in which these cannot be imported."""
    (folder / "sitecustomize.py").write_text(REFUSAL.format(names=modules))
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])}


def start(children: Children, node: str, folder: Path, **parameters: str) -> ChildProcess:
    modules = modules_of_extras()
    assert {"lance", "matplotlib", "mujoco", "rich", "rosbags", "torch", "typer"} <= modules
    save_small_model(folder / "model")
    file = folder / "parameters.yaml"
    values = ", ".join(f"{name}: {value}" for name, value in {"model": folder / "model", **parameters}.items())
    file.write_text("".join(f"/**/{name}: {{ros__parameters: {{{values}}}}}\n" for name in LEARNED))
    arguments = ("-m", f"ami_ros.ros.nodes.{node}", "--ros-args", "--params-file", str(file))
    return children.python(*arguments, environment=refusing(modules | LEAN.get(node, set()), folder))


@pytest.mark.parametrize("process", [*LEAN, "composed"])
def test_robots_process_needs_no_extra(ros: RosPeer, children: Children, tmp_path: Path, process: str) -> None:
    child = start(children, process, tmp_path)

    def active(node: str) -> bool:
        assert child.code is None, child.output()
        state = ros.call(GetState, f"{node}/get_state", GetState.Request(), 90.0).current_state
        return bool(state.id == State.PRIMARY_STATE_ACTIVE)

    nodes = STACK if process == "composed" else [process]
    ros.spin_until(lambda: all(map(active, nodes)), 90.0, child.output)


def test_a_robot_that_shall_adapt_names_the_extra_with_torch_in_one_line(children: Children, tmp_path: Path) -> None:
    child = start(children, "world_model", tmp_path, **{"adaptation.enabled": "true"})
    code = child.wait(90.0)
    assert code == 2, child.output()
    [line] = [line for line in child.output().splitlines() if line.startswith("error:")]
    assert line == "error: torch is not installed; it is in the extra train: pip install -r requirements/train.txt"


def test_simulator_without_mujoco_names_the_extra_in_one_line(children: Children, tmp_path: Path) -> None:
    child = start(children, "simulator", tmp_path)
    code = child.wait(90.0)
    assert code == 2, child.output()
    assert child.output() == (
        "error: mujoco is not installed; it is in the extra sim: pip install -r requirements/sim.txt\n"
    )
