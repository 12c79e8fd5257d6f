"""The programs of examples/ as processes of their own, with real nodes and the kinematic robot."""

from __future__ import annotations

import array
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from ami_ros.core.config import from_mapping
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.ros.goals.robot_client import panorama_goal
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import image_encoder
from harness import Children
from harness.exact_model import ExactModel, latent_of
from harness.processes import REPOSITORY, ChildProcess

EXAMPLES = REPOSITORY / "examples"
NEAR = (1.5, 1.35, 0.4)


def example(children: Children, name: str, *arguments: str) -> ChildProcess:
    return children.python(str(EXAMPLES / f"{name}.py"), *arguments)


def ended(stack: Any, child: ChildProcess) -> str:
    """What the program wrote, once it has ended well."""
    stack.ros.spin_until(lambda: child.code is not None, 120.0, child.output)
    assert child.code == 0, child.output()
    return child.output()


def picture(stack: Any, pose: tuple[float, float, float], file: Path) -> str:
    file.write_bytes(bytes(stack.picture_goal(pose).goal.image.data))
    return str(file)


def test_a_picture_is_taken_and_driven_to_and_ctrl_c_stops_the_robot(
    stack: Any, children: Children, tmp_path: Path
) -> None:
    stack.start("safety", "perception", "planner")
    here = tmp_path / "here.png"
    said = ended(stack, example(children, "take_picture", str(here)))
    assert "here.png" in said and cv2.imread(str(here)) is not None
    assert "code 0" in ended(stack, example(children, "goto", picture(stack, NEAR, tmp_path / "near.png")))
    assert np.hypot(*(stack.pose[:2] - NEAR[:2])) < 0.3
    stack.ros.spin_until(lambda: not stack.moves, what="standing at the goal")
    going = example(children, "goto", picture(stack, (3.4, 3.0, 0.4), tmp_path / "far.png"))
    stack.ros.spin_until(lambda: stack.moves, 60.0, going.output)
    going.send(signal.SIGINT)
    stack.ros.spin_until(lambda: going.code is not None, 60.0, going.output)
    assert going.code == 130 and "cancelled" in going.output()
    stack.ros.spin_until(lambda: not stack.moves, what="standing after Ctrl-C")
    assert stack.ros.call(Trigger, "safety/emergency_stop", Trigger.Request()).success
    held = example(children, "goto", str(tmp_path / "near.png"))
    stack.ros.spin_until(lambda: held.code is not None, 60.0, held.output)
    assert held.code == 3 and "an emergency stop holds" in held.output()  # else it is stuck, and open ways are blocked


def test_patrol_visits_its_goals_again_and_the_listener_hears_a_covered_camera(
    stack: Any, children: Children, tmp_path: Path
) -> None:
    stack.start("safety", "perception", "world_model", "planner")
    stack.add("mission", mission_file=str(tmp_path / "mission"), planner_silence=60.0)
    listener = example(children, "surprise")
    said = ended(stack, example(children, "patrol", "2", picture(stack, NEAR, tmp_path / "near.png")))
    assert "2 of 2 goals reached; code 0" in said and "goal 2 of 2" in said
    assert listener.output().splitlines() == ["listening"]
    stack.drive_off()
    stack.relay = covered_now_and_then
    stack.ros.spin_until(lambda: "surprised: z score" in listener.output(), 120.0, listener.output)


def covered_now_and_then(image: Image) -> list[Image]:
    """For three seconds in six. Only what changes surprises: black after black is as predicted, and on a busy machine
    the second after the change may be lost."""
    return covered(image) if image.header.stamp.sec // 3 % 2 else [image]


def covered(image: Image) -> list[Image]:
    """A black picture with noise in the last bit, else it would count as frozen."""
    noise = np.random.default_rng(image.header.stamp.nanosec).integers(0, 2, len(image.data), dtype=np.uint8)
    image.data = array.array("B", noise.tobytes())
    return [image]


def test_pictures_are_taken_all_round_while_the_robot_turns_and_are_one_goal(
    stack: Any, children: Children, tmp_path: Path
) -> None:
    stack.start("safety")
    wish = TwistStamped()
    wish.twist.angular.z = 0.7
    commands = stack.ros.node.create_publisher(TwistStamped, "cmd_vel_raw", 5)
    stack.ros.node.create_timer(0.05, lambda: commands.publish(wish))
    stack.ros.spin_until(lambda: stack.moves, what="turning")
    ended(stack, example(children, "take_picture", f"{tmp_path}/here/"))
    assert {file.name for file in (tmp_path / "here").iterdir()} == {f"{turn}.png" for turn in range(0, 360, 60)}
    goal = panorama_goal(tmp_path / "here")
    assert [round(np.degrees(view.turn)) for view in goal.views] == [60, 120, 180, 240, 300]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example package."""
    folder = tmp_path_factory.mktemp("plugins")
    source = shutil.copytree(EXAMPLES / "ami_example_plugins", folder / "source")  # setuptools leaves folders there
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return folder / "site"


@pytest.fixture
def plugins(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example package can be imported, and its entry points are found."""
    monkeypatch.syspath_prepend(str(site))


def test_cost_of_the_example_package_makes_plans_slower(plugins: None) -> None:
    def speed(*costs: str) -> float:
        planner = LatentPlanner(
            ExactModel(), from_mapping(PlannerConfig, {"deadline": 60.0, "costs": {"plugins": costs}})
        )
        start = latent_of([0.0, 0.0, 0.0])
        target = Target(latent_of([1.0, 0.0, 0.0]), None, True)
        return float(np.abs(planner.plan(0.0, start, (0.0, 0.0), None, target).commands[:, 0]).mean())

    assert speed("slow weight=20") < 0.5 * speed()


def test_encoder_of_the_example_package_sees_the_same_in_any_light(plugins: None) -> None:
    encoder = image_encoder(ModelSpec(image_encoder="even_light")).eval()
    bright = torch.randint(60, 250, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with torch.no_grad():
        seen, dim = encoder(bright), encoder(bright // 2)
    assert seen.shape == (2, ModelSpec().encoder_width)
    assert (seen - dim).abs().mean() < 0.1 * seen.abs().mean()
