"""The node `world_model`: compares the last moment with its prediction, and predicts on request."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from ami_interfaces.msg import Rollout
from ami_interfaces.msg import Surprise as SurpriseMessage
from ami_interfaces.srv import Predict
from ami_ros.config import parameter
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose
from ami_ros.parts.followed_model import FollowedModel
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.parts.world_model import Foreseen, SurpriseSettings, WorldModelPart
from ami_ros.planning.types import Reading
from ami_ros.ros.adaptation import AdaptationDesk, AdaptationParameters
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.ports import commands_of, latents_of
from ami_ros.ros.models import shared_arrays
from ami_ros.ros.node.bus import PartNode, RosBus
from ami_ros.ros.node.process import run
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.surprise import HORIZON


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


class WorldModelNode(PartNode[WorldModelParameters]):
    """The part `world_model` on ROS, and predictions on request."""

    part: WorldModelPart

    def __init__(self, **options: Any) -> None:
        super().__init__("world_model", WorldModelParameters, **options)

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
            without=[n for n in ("image", "scan") if not (desk.looks and n in self.part.sensors.names)],
            types={"image": camera.message_type, "cmd_vel": TwistStamped if config.enable_stamped_cmd_vel else Twist},
            frames={"odom": config.odom_frame},
        )

    def activate(self) -> None:
        self._desk.begin()

    def _tell(self, stamp: float, reading: Reading) -> None:
        self._surprised = f"{reading.z_score:.1f}"
        self._surprise.publish(
            SurpriseMessage(
                header=conversions.header_at(stamp, ""),
                encoder_id=self._encoder_id,
                horizon=conversions.seconds_to_duration(HORIZON * self._spec.step_duration),
                surprise=reading.error,
                baseline=reading.usual,
                z_score=reading.z_score,
                threshold=self.config.threshold,
                alarm=reading.alarm,
                uncertainty=reading.expected,
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


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(WorldModelNode)


if __name__ == "__main__":
    sys.exit(main())
