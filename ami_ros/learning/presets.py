"""Training configurations that are known to work, by the robot's sensors."""

from __future__ import annotations

from dataclasses import replace

from ami_ros.learning.objective import LossWeights
from ami_ros.learning.trainer import TrainingConfig
from ami_ros.learning.windows import WindowConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec

DYNAMICS_STEPS, DYNAMICS_BATCH, DYNAMICS_RATE = 300, 96, 3e-4  # more of them learn the buildings by heart

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
    # A camera alone, with neither odometry nor laser: tubs of Donkeycar. Commands are throttle and steering, -1 to 1.
    "camera": TrainingConfig(
        steps=1000,
        sight_steps=0,
        head_steps=600,
        gains_every=0,
        held_out=0.1,
        held_out_at="recordings",
        bfloat16=True,
        windows=WindowConfig(starts=4, mirror=True),
        weights=LossWeights(vicreg=4.0, relative_pose=0.0, imagined_pose=0.0, motion=0.0),
        spec=ModelSpec(
            inputs=InputSpec(image_size=64, scan_beams=0),
            period=0.1,
            chunk=5,
            max_linear=1.0,
            max_angular=1.0,
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


def only_dynamics(config: TrainingConfig, spec: ModelSpec, steps: int) -> TrainingConfig:
    """A training that learns further what commands do, and then the heads anew, on the latents of a model of `spec`."""
    steps = steps or DYNAMICS_STEPS
    heads = only_heads(config, spec)
    return replace(heads, dynamics_steps=steps, batch=DYNAMICS_BATCH, learning_rate=DYNAMICS_RATE)
