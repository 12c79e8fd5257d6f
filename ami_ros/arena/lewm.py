"""LeWM (arXiv 2603.19312) behind our `Dynamics`: a checkpoint of theirs plans with our planner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.arena.package import load_module
from ami_ros.arena.tasks import FRAME_SKIP
from ami_ros.errors import AmiError
from ami_ros.world_model.spec import InputSpec, ModelSpec

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet: how LeWM's pictures are scaled
PIXELS = 224  # of its pictures
TRUSTED = ("stable_worldmodel.", "stable_pretraining.", "transformers.", "torch.nn.")  # what a config.json may build


class LewmDynamics:
    """What commands do to LeWM's latents. It tells no poses: plan with the cost `latent_distance`, not `latent_goal`.

    Args:
        model: a LeWM, or what has its `encode`, `predict`, `action_encoder` and `predictor`.
        action_mean: (2,) of the actions that it was trained on.
        action_deviation: (2,) of the same.
        latent_dim: of its latents.
    """

    def __init__(
        self, model: Any, action_mean: NDArray[np.float32], action_deviation: NDArray[np.float32], latent_dim: int
    ) -> None:
        self._model = model.eval().requires_grad_(False)
        self._mean, self._deviation = torch.from_numpy(action_mean), torch.from_numpy(action_deviation)
        self._memory = int(getattr(model.predictor, "num_frames", 3))  # latents that its predictor looks back on
        inputs = InputSpec(image_size=PIXELS, scan_beams=0)
        self.spec = ModelSpec(
            inputs=inputs, latent_dim=latent_dim, period=0.1, chunk=FRAME_SKIP, max_linear=1.0, max_angular=1.0
        )

    @property
    def relative_pose(self) -> Callable[[Tensor, Tensor], Tensor]:
        """LeWM has no head for it.

        Raises:
            AmiError: always.
        """
        raise AmiError(
            "LeWM tells no poses; set costs.latent_goal.enabled to false, costs.latent_distance.enabled to true"
        )

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """(n, H, W, 3) RGB -> (n, latent_dim)."""
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        images = torch.nn.functional.interpolate(images, (PIXELS, PIXELS), mode="bilinear", antialias=True)
        images = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
        with torch.inference_mode():
            latents: Tensor = self._model.encode({"pixels": images[:, None]})["emb"][:, -1]
        return latents

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """As `world_model.model.WorldModel.rollout`; displacements are zero, for it has none to tell."""
        actions = (commands - self._mean) / self._deviation
        effects = self._model.action_encoder(actions.flatten(2))
        latents = [latent]
        for step in range(commands.shape[1]):
            low = max(0, step + 1 - self._memory)
            seen, acted = torch.stack(latents[low:], 1), effects[:, low : step + 1]
            latents.append(self._model.predict(seen, acted)[:, -1])
        return torch.stack(latents[1:], 1), commands.new_zeros(*commands.shape[:2], 3)


def load_lewm(folder: Path, action_mean: NDArray[np.float32], action_deviation: NDArray[np.float32]) -> LewmDynamics:
    """Reads a checkpoint as stable-worldmodel saves it: config.json and one .pt file of weights. Nothing is unpickled
    but tensors, and nothing is built but what comes with the packages that LeWM is made of.

    Raises:
        AmiError: files are missing or not what they should be, or a package that they need is.
    """
    weights = sorted(folder.glob("*.pt"))
    if len(weights) != 1 or not (folder / "config.json").is_file():
        raise AmiError(f"LeWM {folder}: needs config.json and one .pt file; give the folder that save_pretrained wrote")
    try:
        config = json.loads((folder / "config.json").read_text())
        foreign = [name for name in _targets(config) if not name.startswith(TRUSTED)]
        if foreign:
            raise AmiError(
                f"LeWM {folder}: config.json would build {foreign[0]}, which is no part of a LeWM; not loaded"
            )
        model = load_module("hydra.utils", f"LeWM {folder}").instantiate(config)
        model.load_state_dict(torch.load(weights[0], map_location="cpu", weights_only=True))
        width = int(model.predictor.input_dim)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise AmiError(f"LeWM {folder}: not a LeWM that this version reads ({reason}); save it again") from error
    return LewmDynamics(model, action_mean, action_deviation, width)


def _targets(config: Any) -> list[str]:
    """All names that a hydra configuration would call."""
    if isinstance(config, dict):
        own = [str(config["_target_"])] if "_target_" in config else []
        return own + [name for value in config.values() for name in _targets(value)]
    if isinstance(config, list):
        return [name for value in config for name in _targets(value)]
    return []
