"""A model's dynamics by ONNX Runtime: what a search asks for most. Optional: the extra `onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.onnx_runtime import leaves_out, open_sessions
from ami_ros.world_model.runtime import Runtime


class OnnxDynamics(Runtime):
    """`rollout` and `relative_pose` by ONNX Runtime, on one thread; gradients and learned heads by the model itself.

    It follows the model: what adaptation changes in `model` counts from the next call on. Not thread-safe.

    Args:
        model: what imagines; `loaded.model`, or a private copy of it.
        loaded: the model that the files have to be of.
        folder: files of `export_onnx`.

    Raises:
        AmiError: the extra is not installed, there are no such files, they are of other weights, or the model has a
            predictor that ONNX files cannot hold.
    """

    def __init__(self, model: WorldModel, loaded: LoadedModel, folder: Path) -> None:
        if leaves_out(model.spec):
            raise AmiError(f"planner: {leaves_out(model.spec)}; leave the parameter onnx empty")
        super().__init__(model)
        sessions = open_sessions(loaded, folder, ("predictor", "relative_pose"))
        self._step, self._pose = map(_Call, sessions.values())

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """As `WorldModel.rollout`."""
        if self._wants_gradient(commands):
            return self._model.rollout(latent, commands, previous)
        # Files hold the robot of the training data: it is told what it would have to be told to drive as this one does.
        scale = self._model.command_scale
        chunks = (self._model.executed(commands.transpose(0, 1)) * scale).contiguous()
        before = torch.cat([(self._model.executed(previous) * scale)[None], chunks[:-1, :, -1]])
        latents, motions = [latent.contiguous()], []
        for chunk, command in zip(chunks, before, strict=True):
            after, motion = self._step(latents[-1], chunk, command)
            latents.append(after)
            motions.append(motion)
        return torch.stack(latents[1:], 1), torch.stack(motions, 1)

    def relative_pose(self, first: Tensor, second: Tensor) -> Tensor:
        """As `WorldModel.relative_pose`."""
        if self._wants_gradient(first):
            return self._model.relative_pose(first, second)
        first, second = torch.broadcast_tensors(first, second)
        (pose,) = self._pose(*(v.reshape(-1, v.shape[-1]) for v in (first, second)))
        return pose.view(*first.shape[:-1], 4)


class _Call:
    """One file: tensors in the order of its inputs -> tensors; no numbers are copied on the way."""

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._names = [found.name for found in session.get_inputs()]

    def __call__(self, *values: Tensor) -> list[Tensor]:
        given = {name: value.numpy() for name, value in zip(self._names, values, strict=True)}
        found = cast("list[NDArray[Any]]", self._run(None, given))
        return [torch.from_numpy(numbers) for numbers in found]
