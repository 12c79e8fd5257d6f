"""The node `world_model`: surprise, predictions on request, and what is learned while driving."""

from __future__ import annotations

import math
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ami_interfaces.msg import Adaptation, Rollout
from ami_interfaces.msg import Surprise as SurpriseMessage
from ami_interfaces.srv import ChangeAdaptation, Predict
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose
from ami_ros.planning.types import Reading
from ami_ros.ros.messages import conversions
from ami_ros.ros.models import CalibratedCamera, shared_arrays, shared_model
from ami_ros.ros.node.bus import PartNode, RosBus, commands_of, latents_of
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import LATCHED
from ami_ros.runtime.perception import FollowedModel, LatentFrame
from ami_ros.runtime.world_model import Foreseen, SurpriseSettings, WorldModelPart
from ami_ros.world_model.adaptation import (
    AdaptationConfig,
    Journal,
    Segment,
    Step,
    load_weights,
    pack,
    save_weights,
)
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.surprise import HORIZON

if TYPE_CHECKING:
    from ami_ros.world_model.adapter import Adapter


@dataclass(frozen=True)
class AdaptationParameters:
    """Whether the world model keeps learning while the robot drives."""

    enabled: bool = parameter(False, "Keep learning while driving; the planner uses what was learned.")
    file: Path | None = parameter(
        None, "File in which ~/adaptation keeps what was learned; read at start if it exists. Empty: nothing is kept."
    )
    journal: Path | None = parameter(None, "File that gets a line of JSON for every step; empty: none.")
    learning: AdaptationConfig = field(default_factory=AdaptationConfig)


class AdaptationDesk:
    """Learns from segments and reports it: topic `adaptation`, service `~/adaptation`, journal, log.

    A `Learner` of the part `world_model`. `take` may be called on another thread than the node's. With adaptation off,
    the service says so.

    Args:
        node: to publish and answer for.
        folder: of the model.
        followed: the node's own copy of it.
        config: of the adaptation.
    """

    def __init__(
        self, node: AmiNode[Any], folder: Path | None, followed: FollowedModel, config: AdaptationParameters
    ) -> None:
        self._node, self._encoder_id, self._followed = node, followed.encoder_id, followed
        file = config.file.expanduser() if config.file else None
        self._file = file
        self._adapter, self._journal = None, None
        if config.enabled:
            weights = load_weights(file, followed.encoder_id) if file and file.is_file() else None
            trained = shared_model(folder).model  # which says it if there is no torch
            from ami_ros.world_model.adapter import Adapter

            self._adapter = Adapter(trained, config.learning, weights)
            self._journal = Journal(config.journal.expanduser()) if config.journal else None
        self.looks = self._adapter is not None and config.learning.colours  # segments need what the sensors gave
        self._lock = threading.Lock()
        self._published = -1
        self._publisher = node.publisher(Adaptation, "adaptation", LATCHED)
        node.offer(ChangeAdaptation, "~/adaptation", self._change)

    def begin(self) -> None:
        """Publishes the present state; the node is active from now on."""
        with self._lock:
            if self._adapter is not None:
                self._publish(self._adapter)

    def take(self, segment: Segment) -> None:
        """Learns, and publishes if the weights in use changed: to this node's own model, too."""
        adapter = self._adapter
        if adapter is None:
            return
        with self._lock:
            in_use = adapter.in_use
            step = adapter.observe(segment)
            if step is not None:
                self._record(step, adapter)
            if adapter.in_use != in_use:
                self._node.get_logger().info(f"adaptation: {_summary(adapter)}")
            if adapter.version != self._published:
                self._publish(adapter)

    def _record(self, step: Step, adapter: Adapter) -> None:
        verdict = "kept" if step.kept else f"rolled back, {step.reason}"
        self._node.get_logger().info(
            f"adaptation step {step.number} ({step.part}): {verdict}; "
            f"held-out loss {step.loss_before:.4f} -> {step.loss_after:.4f}"
        )
        if self._journal is not None:
            self._journal.write(step, adapter.in_use, adapter.model.drive.tolist(), adapter.model.colours.tolist())

    def _publish(self, adapter: Adapter) -> None:
        """To all followers, including this node's own model."""
        weights = adapter.weights_in_use
        self._followed.take(weights)
        self._published = adapter.version
        trained, adapted = adapter.losses
        message = Adaptation(
            encoder_id=self._encoder_id,
            version=adapter.version,
            state=Adaptation.FROZEN if adapter.frozen else Adaptation.LEARNING,
            in_use=adapter.in_use,
            num_steps=adapter.kept,
            num_rolled_back=adapter.rolled_back,
            loss_trained=trained,
            loss_adapted=adapted,
            summary=_summary(adapter),
            tensors=pack(weights, self._encoder_id),
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _change(self, request: ChangeAdaptation.Request, response: ChangeAdaptation.Response) -> None:
        codes, adapter = ChangeAdaptation.Response, self._adapter
        if adapter is None:
            raise AmiError("adaptation is off; start world_model with adaptation.enabled", codes.NOT_ENABLED)
        with self._lock:
            if request.action in (request.LEARN, request.FREEZE):
                adapter.frozen = request.action == request.FREEZE
            elif request.action == request.REVERT:
                adapter.revert()
                if self._file is not None:
                    self._file.unlink(missing_ok=True)
            elif request.action == request.KEEP:
                self._keep(adapter)
            else:
                raise AmiError("adaptation: action is one of LEARN, FREEZE, REVERT, KEEP", codes.INVALID_INPUT)
            self._publish(adapter)
        self._node.get_logger().info(f"adaptation: {_summary(adapter)}")

    def _keep(self, adapter: Adapter) -> None:
        codes = ChangeAdaptation.Response
        if self._file is None:
            raise AmiError("adaptation: there is no file to keep it in; set adaptation.file", codes.INVALID_INPUT)
        try:
            save_weights(self._file, adapter.weights, self._encoder_id)
        except AmiError as error:
            raise AmiError(str(error), codes.WRITE_FAILED) from error


def _summary(adapter: Adapter) -> str:
    def rounded(rows: list[list[float]]) -> str:
        return "[" + ", ".join("[" + ", ".join(f"{v:.2f}" for v in row) + "]" for row in rows) + "]"

    trained, adapted = adapter.losses
    use = "adapted model in use" if adapter.in_use else "model in use as it was trained"
    learned = f"drive {rounded(adapter.model.drive.tolist())}"
    if adapter.config.colours:
        learned += f", colours {rounded(adapter.model.colours.tolist())}"
    return f"{use}; loss {trained:.3f} as trained, {adapted:.3f} adapted; {learned}"


@dataclass(frozen=True)
class WorldModelParameters(SurpriseSettings):
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    current_max_age: float = parameter(
        1.0, "Age of the newest latent up to which ~/predict starts from it (use_current).", "s", (0.05, 60.0), True
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")
    odom_frame: str = parameter("odom", "Frame of predicted poses.")
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    adaptation: AdaptationParameters = field(default_factory=AdaptationParameters)


class WorldModelNode(PartNode[WorldModelParameters], name="world_model", parameters=WorldModelParameters):
    """The part `world_model` on ROS, and predictions on request."""

    part: WorldModelPart

    def configure(self) -> None:
        config, loaded = self.config, shared_arrays(self.config.model)
        self._encoder_id, self._spec = loaded.encoder_id, loaded.model.spec
        followed = FollowedModel(loaded.model, loaded.encoder_id)
        desk = self._desk = AdaptationDesk(self, config.model, followed, config.adaptation)
        self._surprise = self.publisher(SurpriseMessage, "surprise")
        self._surprised = ""
        camera = CalibratedCamera(self._spec.inputs, config.compressed)
        self._bus = RosBus(self)
        learner = desk if config.adaptation.enabled else None
        self.part = WorldModelPart(self._bus, followed, Perception(loaded.model), config, learner)
        if desk.looks:
            camera.follow(self)
        self.health.figure("model", lambda: self._encoder_id)
        self.health.figure("surprise (z score)", lambda: self._surprised)
        self.offer(Predict, "~/predict", self._predict)
        self._bus.join(
            self.part,
            {"surprise": self._tell},
            {
                "image": lambda message: partial(camera.picture, message),
                "cmd_vel": commands_of(self._spec.command_dim),
                "latent": latents_of(loaded.encoder_id, self._spec),
            },
            without=[n for n in ("image", "scan") if not (desk.looks and n in self.part.sensors.kept)],
            types={"image": camera.message_type, "cmd_vel": conversions.command_type(config.enable_stamped_cmd_vel)},
            frames={"odom": config.odom_frame},
        )

    def activate(self) -> None:
        self._desk.begin()

    def _tell(self, stamp: float, reading: Reading) -> None:
        self._surprised = f"{reading.z_score:.1f}"
        self._surprise.publish(
            conversions.SURPRISE.to_message(
                reading,
                header=conversions.header_at(stamp, ""),
                encoder_id=self._encoder_id,
                horizon=conversions.seconds_to_duration(HORIZON * self._spec.step_duration),
                threshold=self.config.threshold,
            )
        )

    def _predict(self, request: Predict.Request, response: Predict.Response) -> None:
        began = time.perf_counter()
        commands = [conversions.command_from_message(twist, self._spec.command_dim) for twist in request.commands]
        start, pose = self._start(request)
        foreseen = self.part.predict(start, commands)
        response.rollout = self._rollout(request, start, pose, foreseen)
        response.rollout.uncertainty = foreseen.uncertainty
        response.rollout.computing_time = conversions.seconds_to_duration(time.perf_counter() - began)

    def _start(self, request: Predict.Request) -> tuple[LatentFrame, Array | None]:
        """The moment to start from, and the pose (3,) in odom, where it is known."""
        if not request.use_current:
            code, length = Predict.Response.ENCODER_MISMATCH, self._spec.latent_dim
            latent = conversions.latent_from_message(request.start, self._encoder_id, code, length)
            return LatentFrame(conversions.stamp_to_seconds(request.start.header.stamp), latent), None
        newest = self.part.watch.newest
        if newest is None:
            raise AmiError(
                "predict: no latent received yet; start perception, or give `start`", Predict.Response.NO_OBSERVATION
            )
        age = self.now() - newest.stamp
        if age > self.config.current_max_age:
            raise AmiError(
                f"predict: the newest latent is {age:.1f} s old; is perception running?",
                Predict.Response.STALE_OBSERVATION,
            )
        motion = self.part.watch.odometry.at(newest.stamp)
        return newest, motion[0] if motion is not None else None

    def _rollout(self, request: Predict.Request, start: LatentFrame, pose: Array | None, foreseen: Foreseen) -> Rollout:
        step = self._spec.step_duration
        header = conversions.header_at(start.stamp, self.config.odom_frame)
        rollout = Rollout(header=header, encoder_id=self._encoder_id, cost=math.nan)
        rollout.step_duration = conversions.seconds_to_duration(step)
        rollout.commands = request.commands
        if pose is not None:
            for motion in foreseen.motions:
                pose = compose(pose, motion)
                rollout.poses.append(conversions.pose_to_message(pose))
        if request.return_latents:
            for index, latent in enumerate(foreseen.latents):
                after = conversions.header_at(start.stamp + (index + 1) * step, header.frame_id)
                rollout.latents.append(conversions.latent_to_message(latent, after, self._encoder_id))
        return rollout


main = partial(run, WorldModelNode)


if __name__ == "__main__":
    sys.exit(main())
