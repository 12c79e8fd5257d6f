"""Adaptation between nodes: world_model learns from topics, the planner follows, a service says what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import Header

from ami_interfaces.msg import Adaptation, Latent
from ami_interfaces.srv import ChangeAdaptation
from ami_ros.core.geometry import Array, compose
from ami_ros.core.scan import Scan
from ami_ros.ros.messages.conversions import image_to_message, latent_to_message, pose_to_message, twist_message
from ami_ros.ros.messages.range_sensors import scan_to_message
from ami_ros.ros.models import shared_model
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.planner import PlannerNode
from ami_ros.ros.nodes.world_model import WorldModelNode
from ami_ros.world_model.adaptation import apply, pack, save_weights
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model
from harness.ros import RosPeer

SCAN = Scan(np.linspace(1.0, 2.0, 8, dtype=np.float32), -np.pi, np.pi / 4)
SLOW = torch.tensor([[0.6, 0.0], [0.0, 0.6]])
LEARNING = {"learning__period": 0.2, "learning__rate": 0.05, "learning__batch": 16, "learning__recent": 32}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a small random model to which commands matter."""
    return make_model(tmp_path, InputSpec(image_size=0, scan_beams=8))


def make_model(tmp_path: Path, inputs: InputSpec) -> Path:
    torch.manual_seed(3)
    model = WorldModel(ModelSpec(inputs, latent_dim=8, predictor_width=16, head_width=16, chunk=1, sight_code=0))
    with torch.no_grad():
        for part in (model.predictor, model.motion):
            for parameter in part.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    save_model(tmp_path / "model", "small", model)
    return tmp_path / "model"


class Robot:
    """Publishes what a robot would whose world is the model, and whose wheels are slow; stamps are its own."""

    def __init__(self, ros: RosPeer, folder: Path) -> None:
        self.ros, self.loaded = ros, shared_model(folder)
        self.rng, self.k = np.random.default_rng(0), 0
        self.latent, self.pose = torch.zeros(1, 8), np.zeros(3)
        self.sent: Array = np.zeros(2)
        node = ros.node
        self._latents = node.create_publisher(Latent, "latent", 5)
        self._images = node.create_publisher(Image, "image", 5)
        self._scans = node.create_publisher(LaserScan, "scan", 5)
        self._commands = node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        self._odometry = node.create_publisher(Odometry, "odom", 5)
        self.adaptations = ros.collect(Adaptation, "adaptation", LATCHED)

    def drive(self) -> None:
        """One period."""
        self.k += 1
        model = self.loaded.model
        before, self.sent = self.sent, self.rng.uniform(-1, 1, 2) * model.command_scale.numpy()
        truly = [torch.tensor(c, dtype=torch.float32) @ SLOW.T for c in (self.sent, before)]
        self.latent, motion = model.step(self.latent, truly[0].view(1, 1, 2), truly[1].view(1, 2))
        self.pose = compose(self.pose, motion[0].double().numpy())
        start, end = self._stamp(self.k - 1), self._stamp(self.k)
        self._commands.publish(TwistStamped(header=Header(stamp=start), twist=twist_message(self.sent)))
        odometry = Odometry(header=Header(stamp=end, frame_id="odom"))
        odometry.pose.pose = pose_to_message(self.pose)
        ahead, aside, turn = (5.0 * motion[0]).tolist()
        odometry.twist.twist = twist_message((ahead, turn, aside))
        self._odometry.publish(odometry)
        self.look(end)
        self.ros.spin_until_idle()
        self._latents.publish(latent_to_message(self.latent[0].numpy(), Header(stamp=end), self.loaded.encoder_id))
        self.ros.spin_until_idle()

    def look(self, stamp: Time) -> np.ndarray:
        """Publishes what the sensors give, and returns the picture."""
        picture = self.rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        self._scans.publish(scan_to_message(SCAN, Header(stamp=stamp)))
        self._images.publish(image_to_message(picture, Header(stamp=stamp)))
        return picture

    @staticmethod
    def _stamp(k: int) -> Time:
        return Time(sec=100 + k // 5, nanosec=k % 5 * 200_000_000)

    def change(self, action: int) -> ChangeAdaptation.Response:
        """Calls the service."""
        return self.ros.call(ChangeAdaptation, "world_model/adaptation", ChangeAdaptation.Request(action=action))


def learning(**more: Any) -> dict[str, Any]:
    return {f"adaptation__{key}": value for key, value in {"enabled": True, **LEARNING, **more}.items()}


def test_world_model_learns_the_planner_follows_and_the_service_decides(
    ros: RosPeer, folder: Path, tmp_path: Path
) -> None:
    file, journal = tmp_path / "kept", tmp_path / "journal.jsonl"
    node = ros.start(WorldModelNode, model=str(folder), **learning(file=str(file), journal=str(journal)))
    planner = ros.start(PlannerNode, model=str(folder), navigator__planner__solver__samples=16)
    robot = Robot(ros, folder)

    def learned() -> bool:
        robot.drive()
        return bool(robot.adaptations) and robot.adaptations[-1].in_use and robot.adaptations[-1].num_steps > 8

    ros.spin_until(learned, 120.0, lambda: f"adaptation; last {robot.adaptations[-1:]}")
    assert robot.change(ChangeAdaptation.Request.FREEZE).success
    frozen = ros.spin_until(lambda: [a for a in robot.adaptations if a.state == Adaptation.FROZEN], what="frozen")[-1]
    assert frozen.in_use and frozen.loss_adapted < frozen.loss_trained and frozen.encoder_id == robot.loaded.encoder_id
    ros.spin_once(0.1)
    planner.part.followed.refresh()
    followed = planner.part.followed.model.drive
    assert np.linalg.norm(followed - SLOW.numpy()) < np.linalg.norm(followed - np.eye(2))
    assert torch.equal(robot.loaded.model.drive, torch.eye(2))  # whoever else shares the model
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(lines) == frozen.num_steps + frozen.num_rolled_back and lines[-1]["in_use"]

    assert robot.change(ChangeAdaptation.Request.KEEP).success and file.is_file()
    assert robot.change(ChangeAdaptation.Request.REVERT).success and not file.exists()
    ros.spin_until(lambda: not robot.adaptations[-1].in_use, what="reverted")
    refused = robot.change(9)
    assert not refused.success and refused.error_code == ChangeAdaptation.Response.INVALID_INPUT
    node.stop()
    planner.stop()


def test_what_was_kept_is_used_from_the_start_and_what_is_foreign_refused(
    ros: RosPeer, folder: Path, tmp_path: Path
) -> None:
    loaded = shared_model(folder)
    save_weights(tmp_path / "kept", {"drive": SLOW.numpy()}, loaded.encoder_id)
    planner = ros.start(PlannerNode, model=str(folder), navigator__planner__solver__samples=16)
    node = ros.start(WorldModelNode, model=str(folder), **learning(file=str(tmp_path / "kept")))
    ros.spin_until(lambda: planner.part.followed._pending, what="what was kept")
    planner.part.followed.refresh()
    assert np.array_equal(planner.part.followed.model.drive, SLOW.numpy())
    foreign = Adaptation(encoder_id="other@0", tensors=pack({"drive": 2 * SLOW.numpy()}, "other@0"))
    publisher = ros.node.create_publisher(Adaptation, "adaptation", LATCHED)
    publisher.publish(foreign)
    ros.spin_until(lambda: planner.health.count("adaptation"), what="refusal")
    planner.part.followed.refresh()
    assert np.array_equal(planner.part.followed.model.drive, SLOW.numpy())
    node.stop()
    planner.stop()


def test_colours_are_learned_from_what_latents_were_made_of(ros: RosPeer, tmp_path: Path) -> None:
    folder, journal = make_model(tmp_path, InputSpec(image_size=16, scan_beams=8)), tmp_path / "journal.jsonl"
    node = ros.start(WorldModelNode, model=str(folder), **learning(journal=str(journal), **{"learning__colours": True}))
    robot = Robot(ros, folder)

    def learned() -> bool:
        robot.drive()
        return journal.exists() and '"part": "colours"' in journal.read_text()

    ros.spin_until(learned, 120.0, "a step that changes colours")
    node.stop()


def test_perception_sees_through_the_colours_that_were_learned(ros: RosPeer, tmp_path: Path) -> None:
    folder = make_model(tmp_path, InputSpec(image_size=16, scan_beams=8))
    node = ros.start(PerceptionNode, model=str(folder))
    robot = Robot(ros, folder)
    latents = ros.collect(Latent, "latent", RELIABLE)
    colours = np.array([[1.6, 0.3], [1.0, 0.0], [0.8, -0.1]])
    owner = robot.loaded.encoder_id
    publisher = ros.node.create_publisher(Adaptation, "adaptation", LATCHED)
    publisher.publish(Adaptation(encoder_id=owner, tensors=pack({"colours": colours}, owner)))
    ros.spin_until(lambda: node.part.followed._pending, what="what was learned")
    own = robot.loaded.model.private_copy()
    apply({"colours": colours}, own, robot.loaded.model)
    picture = robot.look(ros.node.get_clock().now().to_msg())
    ros.spin_until(lambda: latents, what="a latent")
    wanted = Perception(own).encode(picture, SCAN)
    assert np.abs(np.array(latents[-1].data) - wanted).max() < 1e-5
    assert np.abs(wanted - Perception(robot.loaded.model).encode(picture, SCAN)).max() > 1e-3
    node.stop()


def test_service_says_that_adaptation_is_off(ros: RosPeer, folder: Path) -> None:
    node = ros.start(WorldModelNode, model=str(folder))
    answer = Robot(ros, folder).change(ChangeAdaptation.Request.FREEZE)
    assert not answer.success and answer.error_code == ChangeAdaptation.Response.NOT_ENABLED
    node.stop()
