"""Whole demos with real processes and a tiny model that has learned nothing: goals are missed, all else must hold."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.bench.demo.client import Frames, Leg, Observed, Telemetry, TruthLog
from ami_ros.bench.trials import SampledGoal, Trial
from ami_ros.cli.demo import DemoPage
from ami_ros.console.scene import Scene, dumps
from ami_ros.core.geometry import compose, inverse
from ami_ros.simulation.mjcf import TopView
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model
from harness import ChildProcess, Children, RosPeer

READY, EXPLORES = "ready after", "explores for 5 min"

pytestmark = pytest.mark.timeout(900)  # on a busy machine, seven processes take long to start


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    inputs = InputSpec(image_size=16, scan_beams=36)
    spec = ModelSpec(inputs, latent_dim=8, encoder_width=32, predictor_width=32, head_width=32, contrast_dim=8)
    save_model(tmp_path / "model", "untaught", WorldModel(spec))
    return tmp_path / "model"


def start(children: Children, model: Path, *options: str) -> ChildProcess:
    """Starts a demo in the domain of this test worker, which the worker itself has claimed."""
    code = (
        "import sys, ami_ros.ros.start.domain as d; d.claim_domain = lambda wanted: wanted;"
        "from ami_ros.cli.main import run; run(sys.argv[1:])"
    )
    settings = ["--world", "two_rooms", "--model", str(model), "--domain-id", os.environ["ROS_DOMAIN_ID"]]
    return children.python("-c", code, "demo", *settings, *options)


def figures(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_demo_drives_reports_and_records(children: Children, ros: RosPeer, model: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "out.json", tmp_path / "run"
    options = ("--headless", "--goals", "1", "--seed", "5", "--min-success", "0.01", "--real-time-factor", "3")
    demo = start(children, model, *options, "--json", str(out), "--record", str(folder))
    demo.wait_for_output(READY, 300)
    assert {i.node_name for i in ros.node.get_subscriptions_info_by_topic("/ground_truth")} == {"demo_client"}
    code = demo.wait(400)
    report = figures(out)
    assert code == (0 if report["near"]["reached"] else 1)
    asked = {"near", "far", "control", "collisions", "processes", "goals", "seed", "world", "robot"}
    assert asked <= set(report) and set(report["near"]) == {"n", "reached", "rate", "wilson_low", "wilson_high"}
    assert (report["world"], report["robot"], report["seed"]) == ("two_rooms", "ami_bot", 5)
    assert report["near"]["n"] == len(report["goals"]) == 1
    assert report["control"]["commands"] > 0
    assert report["control"]["image_to_command_p95_ms"] > 0
    assert {"simulator", "planner", "safety"} <= {p["name"] for p in report["processes"]}
    assert (folder / "demo.png").stat().st_size > 10_000
    assert (folder / "bag" / "metadata.yaml").is_file()


def test_interrupted_demo_writes_what_was_done_and_leaves_nothing(
    children: Children, model: Path, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out.json", tmp_path / "run"
    options = ("--explore", "5", "--real-time-factor", "3", "--json", str(out), "--record", str(folder))
    demo = start(children, model, *options)
    demo.wait_for_output(EXPLORES, 600)
    demo.send(signal.SIGINT)
    demo.send(signal.SIGINT)
    assert demo.wait(120) == 130
    report = figures(out)
    assert report["end"] == "interrupted" and report["goals"] == []
    assert (folder / "demo.png").stat().st_size > 10_000 and (folder / "bag" / "metadata.yaml").is_file()
    assert "Traceback" not in demo.output()


def test_domain_with_a_stack_in_it_is_refused(children: Children, ros: RosPeer, model: Path, tmp_path: Path) -> None:
    ros.make_node("planner")
    demo = start(children, model, "--headless", "--json", str(tmp_path / "out.json"))
    assert demo.wait(120) == 2
    assert demo.output().strip().splitlines()[-1].startswith("ami: ROS domain")
    assert not (tmp_path / "out.json").exists()


def test_mistake_is_one_line_and_nothing_is_started(children: Children, model: Path) -> None:
    demo = start(children, model, "--robot", "r2d2")
    assert demo.wait(120) == 2
    assert demo.output().strip().startswith("ami: no robot 'r2d2': known are ackermann, ami_bot,")


ABOUT = {"world": "home", "robot": "ami_bot", "seed": 1, "total": 2}
FLOOR = TopView(np.zeros((60, 80, 3), np.uint8), 10.0)
LEG = Leg(0, SampledGoal("near", np.array([2.0, 1.0, 0.5]), 1.2), began=10.0, allowance=30.0)
NOWHERE = (math.nan,) * 3
TRIAL = Trial(
    "near", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 1.0, "succeeded", True, NOWHERE, 9.0, 0, 1, 0, 0, "", allowance_s=30.0
)


def test_before_the_robot_knows_where_it_is_the_truth_cannot_be_shown() -> None:
    scene = Scene()
    DemoPage(scene, FLOOR, ABOUT).update(None, Observed(), [], False)
    state = scene.state()
    assert state["demo"]["goal"] is None and state["demo"]["total"] == 2 and state["truth"] is None
    assert scene.documents.get("truth") is None and dumps(state)


def test_the_truth_is_shown_in_the_map_that_the_robot_made() -> None:
    memory_frame, odom_frame = np.array([3.0, 1.0, 2.0]), np.array([-1.0, 2.0, 0.7])
    frames, truth, scene = Frames(), np.array([1.0, 1.0, 0.2]), Scene()
    believed = compose(inverse(memory_frame), truth)
    frames.add(truth, compose(inverse(odom_frame), truth), believed)
    DemoPage(scene, FLOOR, ABOUT).update(
        LEG, Observed(Telemetry(time=14.0, truth=truth), TruthLog(), frames), [], False
    )
    assert scene.state()["truth"] == pytest.approx(believed, abs=2e-3)
    floor = scene.documents.get("truth")
    assert (
        floor is not None
        and floor["src"].startswith("data:image/png")
        and floor["extent"] == pytest.approx([-0.1, 7.9, -0.1, 5.9])
    )
    assert floor["frame"] == pytest.approx(inverse(memory_frame), abs=2e-3)
    assert scene.state()["demo"]["goal"] == 0


def test_finished_goals_are_counted() -> None:
    scene = Scene()
    view = DemoPage(scene, FLOOR, ABOUT)
    view.update(None, Observed(), [TRIAL], True)
    demo = scene.state()["demo"]
    assert demo["near"] == {"reached": 0, "n": 1} and demo["finished"] is True
    assert demo["trials"] == [{"kind": "near", "success": False, "time": 9.0, "words": ""}]
    assert dumps(scene.state())
