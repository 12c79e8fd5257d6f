"""The node `world_model`: compares the last moment with its prediction, and predicts on request."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry

from ami_interfaces.msg import Latent, Rollout
from ami_interfaces.msg import Surprise as SurpriseMessage
from ami_interfaces.srv import Predict
from ami_ros.agent.perceiver import LatentFrame
from ami_ros.agent.surprise_watch import Comparison, SurpriseWatch
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose
from ami_ros.planning.types import Reading
from ami_ros.ros.adaptation import AdaptationDesk, AdaptationParameters, FollowedModel
from ami_ros.ros.messages import conversions
from ami_ros.ros.models import shared_arrays
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import parameter
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.node.worker import Worker
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.ros.sensors.history import SensorHistory
from ami_ros.world_model.arrays import accumulated
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.surprise import HORIZON, SurpriseMonitor


@dataclass(frozen=True)
class WorldModelParameters:
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    threshold: float = parameter(
        5.0,
        "z score above which all readings of a model step raise an alarm. Larger: fewer alarms, later.",
        "",
        (0.0, 1000.0),
        True,
    )
    window: int = parameter(
        300,
        "Readings in the running median of the usual error. Larger adapts more slowly to a new place.",
        "",
        (20, 100_000),
        True,
    )
    current_max_age: float = parameter(
        1.0, "Age of the newest latent up to which ~/predict starts from it (use_current).", "s", (0.05, 60.0), True
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")
    odom_frame: str = parameter("odom", "Frame of predicted poses.")
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    adaptation: AdaptationParameters = field(default_factory=AdaptationParameters)


class WorldModelNode(AmiNode[WorldModelParameters]):
    """Surprise on a worker thread; predictions on request."""

    def __init__(self, **options: Any) -> None:
        super().__init__("world_model", WorldModelParameters, **options)

    def configure(self) -> None:
        config = self.config
        loaded = shared_arrays(config.model)
        self._encoder_id, self._spec = loaded.encoder_id, loaded.model.spec
        self._followed = FollowedModel(loaded.model, loaded.encoder_id)
        self._model = self._followed.model
        self._desk = AdaptationDesk(self, config.model, self._followed, config.adaptation)
        self._watch = SurpriseWatch(SurpriseMonitor(self._model, config.threshold, config.window), self._spec)
        self._surprise = self.publisher(SurpriseMessage, "surprise")
        self._surprised = ""
        self._worker: Worker[Comparison] = Worker("world_model", self._compare, self._failed)
        camera = CalibratedCamera(self._spec.inputs, config.compressed)
        self._sensors = SensorHistory(Perception(loaded.model), camera)
        if self._desk.looks:
            camera.follow(self)
            for kind, topic in self._sensors.topics.items():
                self.subscribe(kind, topic, self._sensors.take)
        command = TwistStamped if config.enable_stamped_cmd_vel else Twist
        self.subscribe(command, "cmd_vel", self._on_command, RELIABLE)
        self.health.follow(self._worker)
        self.health.figure("model", lambda: self._encoder_id)
        self.health.figure("surprise (z score)", lambda: self._surprised)
        self.subscribe(Odometry, "odom", self._on_odometry, frame=self.config.odom_frame)
        # The latent is subscribed last: of messages that arrive together, earlier subscriptions are served first.
        self.subscribe(Latent, "latent", self._on_latent)
        self.offer(Predict, "~/predict", self._predict)

    def activate(self) -> None:
        self._desk.begin()

    def cleanup(self) -> None:
        if hasattr(self, "_worker"):
            self._worker.close()

    def reconfigure(self, before: WorldModelParameters) -> None:
        self._watch.monitor.tune(self.config.threshold, self.config.window)

    def time_jumped(self) -> None:
        if hasattr(self, "_worker"):
            self._watch.clear()
            self._sensors.clear()
            self._worker.clear()

    def _on_command(self, message: Twist | TwistStamped) -> None:
        stamped = isinstance(message, TwistStamped)
        stamp = conversions.stamp_to_seconds(message.header.stamp) if stamped else self.now()
        command = conversions.command_from_message(message, self._spec.command_dim)
        if not all(map(math.isfinite, command)):
            raise AmiError("command is not finite: ignored")
        self._watch.commands.add(stamp, command)

    def _on_odometry(self, message: Odometry) -> None:
        pose, velocity = conversions.odometry_from_message(message)
        self._watch.odometry.add(conversions.stamp_to_seconds(message.header.stamp), pose, velocity, self.now())

    def _on_latent(self, message: Latent) -> None:
        latent = conversions.latent_from_message(message, self._encoder_id, length=self._spec.latent_dim)
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        sensors = self._sensors.at(stamp) if self._desk.looks else None
        comparison = self._watch.take_latent(LatentFrame(stamp, latent, sensors=sensors))
        if comparison is not None:
            self._worker.submit(comparison)

    def _compare(self, comparison: Comparison) -> None:
        self._followed.refresh()
        reading = self._watch.judge(comparison)
        if reading is not None:
            self._tell(reading)
        if comparison.segment is not None and self.config.adaptation.enabled:
            self._desk.observe(comparison.segment)

    def _tell(self, reading: Reading) -> None:
        self._surprised = f"{reading.z_score:.1f}"
        message = SurpriseMessage(
            header=conversions.header_at(reading.stamp, ""),
            encoder_id=self._encoder_id,
            horizon=conversions.seconds_to_duration(HORIZON * self._spec.step_duration),
            surprise=reading.error,
            baseline=reading.usual,
            z_score=reading.z_score,
            threshold=self.config.threshold,
            alarm=reading.alarm,
            uncertainty=reading.expected,
        )
        if self.is_active:
            self._surprise.publish(message)
        if reading.alarm:
            self.health.warn(
                "surprise", f"surprise: z score {reading.z_score:.1f}; this is not what the model predicted"
            )

    def _failed(self, error: Exception) -> None:
        self.health.error("model", f"model failed: {type(error).__name__}: {error}", error)

    def _predict(self, request: Predict.Request, response: Predict.Response) -> None:
        began = time.perf_counter()
        width = self._spec.command_dim
        asked = [conversions.command_from_message(twist, width) for twist in request.commands]
        commands = np.array(asked).reshape(-1, width)
        if not len(commands) or not np.isfinite(commands).all():
            raise AmiError("predict: give at least one command, of finite numbers", Predict.Response.INVALID_INPUT)
        start, pose = self._start(request)
        chunks = np.repeat(commands[:, None], self._spec.chunk, 1).astype(np.float32)
        previous = np.array([self._watch.commands.at(start.stamp)], np.float32)
        given = start.latent[None], chunks[None], previous
        latents, motions = self._model.rollout(*given)
        doubt = self._model.path_disagreement(given[0], latents, *given[1:]) if self._spec.ensemble else None
        response.rollout = self._rollout(request, start, pose, latents[0], motions[0])
        if doubt is not None:
            response.rollout.uncertainty = accumulated(doubt)[0].tolist()
        response.rollout.computing_time = conversions.seconds_to_duration(time.perf_counter() - began)

    def _start(self, request: Predict.Request) -> tuple[LatentFrame, Array | None]:
        """The moment to start from, and the pose (3,) in odom, where it is known."""
        if not request.use_current:
            code, length = Predict.Response.ENCODER_MISMATCH, self._spec.latent_dim
            latent = conversions.latent_from_message(request.start, self._encoder_id, code, length)
            return LatentFrame(conversions.stamp_to_seconds(request.start.header.stamp), latent), None
        newest = self._watch.newest
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
        motion = self._watch.odometry.at(newest.stamp)
        return newest, motion[0] if motion is not None else None

    def _rollout(
        self, request: Predict.Request, start: LatentFrame, pose: Array | None, latents: np.ndarray, motions: np.ndarray
    ) -> Rollout:
        step = self._spec.step_duration
        header = conversions.header_at(start.stamp, self.config.odom_frame)
        rollout = Rollout(header=header, encoder_id=self._encoder_id, cost=math.nan)
        rollout.step_duration = conversions.seconds_to_duration(step)
        rollout.commands = request.commands
        if pose is not None:
            for motion in motions:
                pose = compose(pose, motion)
                rollout.poses.append(conversions.pose_to_message(pose))
        if request.return_latents:
            for index, latent in enumerate(latents):
                after = conversions.header_at(start.stamp + (index + 1) * step, header.frame_id)
                rollout.latents.append(conversions.latent_to_message(latent, after, self._encoder_id))
        return rollout


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(WorldModelNode)


if __name__ == "__main__":
    sys.exit(main())
