"""Makes a model for robots without a camera from one with a camera: its image is always grey.

The features of a grey picture are numbers that never change, so they go into the bias of the layer that joins the
inputs, and the image branch is no longer needed. Latents are exactly those of the model with a grey image;
nothing is trained again.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ami_ros.errors import AmiError
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec

GREY = 127  # of 255, of all pixels
JOIN = "encoder.join.0"  # the layer that takes the features of all inputs, those of the image first


def without_camera(model: WorldModel) -> WorldModel:
    """The same model without its image input, in evaluation mode; its latents are of a kind of their own.

    Raises:
        AmiError: it has no image input, or no other.
    """
    spec = model.spec
    blind = WorldModel(_spec_of(spec))
    size, width = spec.inputs.image_size, spec.encoder_width
    with torch.inference_mode():
        grey = model.encoder.features(torch.full((1, 3, size, size), GREY, dtype=torch.uint8))
    weights = model.state_dict()
    join, bias = weights[f"{JOIN}.weight"], weights[f"{JOIN}.bias"]
    kept = {name: weights[name] for name in blind.state_dict() if not name.startswith(JOIN)}
    blind.load_state_dict(
        kept | {f"{JOIN}.weight": join[:, width:], f"{JOIN}.bias": bias + join[:, :width] @ grey[0].clone()}
    )
    blind.eval().requires_grad_(False)
    return blind


def _spec_of(spec: ModelSpec) -> ModelSpec:
    inputs = spec.inputs
    if not inputs.image_size:
        raise AmiError("the model does without a camera already")
    if not inputs.scan_beams:
        raise AmiError("the model knows nothing but pictures, so nothing is left without a camera")
    others = replace(inputs, image_size=0, field_of_view=0.0, narrowest=0.0)
    return replace(spec, inputs=others, image_encoder="conv", sight_code=0, pair_size=0)
