"""Whole demos with real processes and a tiny model that has learned nothing: goals are missed, all else must hold."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

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
