"""Training configurations that are known to work, by the robot's sensors."""

from __future__ import annotations

from dataclasses import replace

from ami_ros.learning.objective import LossWeights
from ami_ros.learning.trainer import TrainingConfig
from ami_ros.learning.windows import WindowConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec

PRESETS: dict[str, TrainingConfig] = {
    # The robot's own sensors: forward camera and laser scan; heading and place have to be learned.
    # VICReg keeps less in the latent than SIGReg, and what it keeps is foretold and read better. Ten minutes
    # on two cores; the model that ships has had two and a half times as many steps (its card has the command).
    "onboard": TrainingConfig(
        steps=1600,
        sight_steps=1600,
        head_steps=1000,
        bfloat16=True,
        weights=LossWeights(sigreg=0.0, vicreg=1.0),
        spec=ModelSpec(
            inputs=InputSpec(image_size=64, scan_beams=72),
            sight_code=64,
            ensemble=3,
            policy=True,
        ),
    ),
    # A laser alone: the same without pictures, and so without what compares them.
    "laser": TrainingConfig(
        steps=1600,
        head_steps=1000,
        bfloat16=True,
        weights=LossWeights(sigreg=0.0, vicreg=1.0),
        spec=ModelSpec(inputs=InputSpec(image_size=0, scan_beams=72), ensemble=3, policy=True),
    ),
    # A camera that sees the whole floor, on which the robot is a few pixels wide, and a compass. All there is to know
    # are position and heading: a wide latent would be filled with what no one can predict.
    "ceiling": TrainingConfig(
        steps=800,
        goal_steps=600,
        bfloat16=True,
        spec=ModelSpec(
            inputs=InputSpec(image_size=96, still_camera=True, scan_beams=0, heading=True),
            encoder_width=192,
            latent_dim=16,
            place_pose=True,
            goal_encoder=True,
            ensemble=3,
            policy=True,
        ),
        # Without noise the faint ripples of JPEG around the robot are learned, which live pictures do not have.
        windows=WindowConfig(image_noise=4),
        weights=LossWeights(sigreg=0.02),
    ),
}


def only_heads(config: TrainingConfig, spec: ModelSpec) -> TrainingConfig:
    """A training that leaves a finished model of `spec` as it is and learns the heads that `config` names."""
    wanted = config.spec
    heads = replace(spec, ensemble=wanted.ensemble, ensemble_width=wanted.ensemble_width, policy=wanted.policy)
    return replace(config, steps=0, goal_steps=0, sight_steps=0, gains_every=0, spec=heads)
