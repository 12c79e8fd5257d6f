"""Other means than the model's own to compute its dynamics: traced, and in bf16, which is half the bits and several
times the products where the CPU multiplies such numbers."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.traced import Traced

FEW = 64  # steps or poses; fewer are no sooner in bf16
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # what Linux calls it, of Intel, AMD and ARM


def cpu_has_bf16(info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this machine's CPU multiplies bf16, and need not make do with float32."""
    try:
        lines = info.read_text("utf-8").splitlines()
    except OSError:
        return False
    return any(FLAGS & set(line.split()) for line in lines if line.startswith(("flags", "Features")))


class Runtime:
    """Computes what a search asks for most by other means than the model's; gradients and learned heads by the model.

    Args:
        model: what imagines; not changed.
    """

    def __init__(self, model: WorldModel) -> None:
        self.spec, self.sighting, self.pairs = model.spec, model.sighting, model.pairs
        self.policy = model.policy
        self.disagreement, self.path_disagreement = model.disagreement, model.path_disagreement
        self._model = model

    @staticmethod
    def _wants_gradient(inputs: Tensor) -> bool:
        return torch.is_grad_enabled() and inputs.requires_grad


class TracedDynamics(Runtime):
    """`rollout` traced; gradients and learned heads by the model itself.

    It follows the model: what adaptation changes in `model` counts from the next call on.

    Args:
        model: what imagines, with a predictor of ours; not changed.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__(model)
        self.relative_pose = model.relative_pose
        self._rollout = Traced(model, WorldModel.rollout)

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """As `WorldModel.rollout`."""
        if self._wants_gradient(commands):
            return self._model.rollout(latent, commands, previous)
        latents, motions = self._rollout(latent, commands, previous)
        return latents, motions


class HalfDynamics(Runtime):
    """`rollout` and `relative_pose` of many futures in bf16. By the model itself, in float32: few of them, as when a
    goal is sighted or mode 1 goes on step by step; gradients; learned heads.

    Latents and displacements stay float32 between steps, so that what a step adds is rounded, and not all that is
    there already. It follows the model: what adaptation changes in `model` counts from the next call on.

    Args:
        model: what imagines, with a predictor of ours; not changed.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__(model)
        self._half = copy.copy(model)
        self._half.__dict__["_modules"] = dict(model._modules)
        for name in ("predictor", "motion", "relative_pose"):
            self._half._modules[name] = _halved(model.get_submodule(name))
        self._rollout, self._step = Traced(self._half, WorldModel.rollout), Traced(model, WorldModel.rollout)

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """As `WorldModel.rollout`."""
        batch, steps = commands.shape[:2]
        if self._wants_gradient(commands) or 1 < steps < FEW / batch:
            return self._model.rollout(latent, commands, previous)
        latents, motions = (self._step if batch * steps < FEW else self._rollout)(latent, commands, previous)
        return latents.float(), motions.float()

    def relative_pose(self, first: Tensor, second: Tensor) -> Tensor:
        """As `WorldModel.relative_pose`."""
        if first.numel() < FEW * self.spec.latent_dim or self._wants_gradient(first):
            return self._model.relative_pose(first, second)
        return self._half.relative_pose(first, second).float()


def _halved(module: nn.Module) -> nn.Module:
    """The same module with layers of bf16; what has no layers is shared."""
    if isinstance(module, nn.Linear):
        return _HalfLinear(module)
    halved = copy.copy(module)
    halved.__dict__["_modules"] = {k: _halved(m) for k, m in module._modules.items() if m is not None}
    return halved


class _HalfLinear(nn.Module):
    """A linear layer that computes in bf16, whatever comes in."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = (v.detach().bfloat16() for v in (layer.weight, layer.bias))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.bfloat16(), self.weight, self.bias)
