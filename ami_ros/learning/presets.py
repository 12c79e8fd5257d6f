"""Training configurations that are known to work, by the robot's sensors."""

from __future__ import annotations

from dataclasses import replace

from ami_ros.learning.trainer import TrainingConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec

PRESETS: dict[str, TrainingConfig] = {
    # Forward camera and laser scan. Ten minutes on two cores; the model that ships has had two and a half times as many
    # steps (its card has the command).
    "onboard": TrainingConfig(
        steps=1600,
        sight_steps=1600,
        head_steps=1000,
        bfloat16=True,
        spec=ModelSpec(
            inputs=InputSpec(image_size=64, scan_beams=72),
            sight_code=64,
            ensemble=3,
        ),
    ),
    # A laser alone: the same without pictures, and so without what compares them.
    "laser": TrainingConfig(
        steps=1600,
        head_steps=1000,
        bfloat16=True,
        spec=ModelSpec(inputs=InputSpec(image_size=0, scan_beams=72), ensemble=3),
    ),
}


def only_heads(config: TrainingConfig, spec: ModelSpec) -> TrainingConfig:
    """A training that leaves a finished model of `spec` as it is and learns the heads that `config` names."""
    wanted = config.spec
    heads = replace(spec, ensemble=wanted.ensemble, ensemble_width=wanted.ensemble_width)
    return replace(config, steps=0, sight_steps=0, gains_every=0, spec=heads)
