"""The world model: encoder, predictor and heads under one roof."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ami_ros.world_model import arrays
from ami_ros.world_model.arrays import MIDDLE
from ami_ros.world_model.encoder import Encoder
from ami_ros.world_model.heads import Contrast, Motion, RelativePose, SightingHead, mlp
from ami_ros.world_model.learned_heads import LearnedHeads
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.predictors import make_predictor
from ami_ros.world_model.spec import ModelSpec, Sensors, missing

AS_TRAINED = torch.from_numpy(arrays.AS_TRAINED)


class WorldModel(nn.Module):
    """A joint-embedding predictive world model.

    Commands are in SI units at this interface, (..., command_dim): linear [m/s], angular [rad/s] and, where the spec
    has a `max_lateral`, lateral [m/s] (`ami_ros.commands`); inside they are scaled by the spec's maxima.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = Encoder(spec)
        self.predictor = make_predictor(spec)
        self.inverse_dynamics = mlp(2 * spec.latent_dim, spec.head_width, spec.command_dim * spec.chunk)
        self.relative_pose = RelativePose(spec)
        self.motion = Motion(spec)
        self.contrast = Contrast(spec)
        self.goal_head = (
            mlp(spec.encoder_width, 2 * spec.encoder_width, spec.latent_dim) if spec.inputs.image_size else None
        )
        # Last: the weights of all others are the same with and without these.
        self.sighting = SightingHead(spec) if spec.sight_code and spec.inputs.image_size else None
        self.heads = LearnedHeads(spec)
        self.pairs = PairHead(spec) if spec.pair_size else None
        self.command_scale: Tensor
        self.register_buffer("command_scale", torch.tensor(spec.command_maxima), persistent=False)
        # What the robot makes of commands, beside the robot of the training data; `adaptation` learns it while driving.
        self.drive: Tensor
        self.register_buffer("drive", torch.eye(spec.command_dim), persistent=False)
        # What its camera makes of red, green and blue, likewise: gain and offset [of the full range] that undo it.
        self.colours: Tensor
        self.register_buffer("colours", AS_TRAINED.clone(), persistent=False)

    def private_copy(self) -> WorldModel:
        """The same model with `drive` and `colours` of its own; all networks, and so all latents, are shared."""
        own = copy.copy(self)
        own.__dict__["_buffers"] = self._buffers | {"drive": self.drive.clone(), "colours": self.colours.clone()}
        return own

    def seen(self, image: Tensor) -> Tensor:
        """What this robot's camera sees now, as the camera of the training data would have seen it.

        Pictures of goals are not passed through it: they were taken by a camera as it should be.

        Args:
            image: (batch, 3, size, size), 0 to 255.

        Returns:
            Likewise; differentiable by `colours`.
        """
        gain, offset = self.colours[..., None, None].unbind(1)
        return ((image - MIDDLE) * gain + MIDDLE + 255 * offset).clamp(0, 255)

    def encode(self, sensors: Sensors) -> Tensor:
        """Sensors of a batch -> (batch, latent_dim)."""
        latent: Tensor = self.encoder(sensors)[0]
        return latent

    def encode_goal(self, image: Tensor) -> Tensor:
        """A picture alone, as a goal is: (batch, 3, size, size) uint8 -> (batch, latent_dim)."""
        if self.goal_head is None:
            raise ValueError("this model has no image input, so a picture cannot be its goal")
        latent: Tensor = self.goal_head(self.encoder.features(image))
        return latent

    def encode_picture(self, image: Tensor) -> Tensor:
        """A picture for `pairs` or `sighting`, of now or of a goal: (batch, 3, size, size) uint8 -> (batch, code)."""
        if self.pairs is not None:
            return self.pairs.code(image)
        if self.sighting is None:
            raise ValueError("this model does not compare pictures: its spec has neither pair_size nor sight_code")
        return self.sighting.code(image)

    def executed(self, commands: Tensor) -> Tensor:
        """Commands (..., command_dim) as the networks take them: in units of the maxima, as this robot drives."""
        return (commands / self.command_scale) @ self.drive.T

    def step(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk ahead, as the first of a rollout: what a predictor remembers of earlier steps is not there.

        Args:
            latent: (batch, latent_dim).
            chunk: (batch, chunk, command_dim) commands [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            The next latent (batch, latent_dim) and the displacement (batch, 3) [m, m, rad].
        """
        chunk, previous = self.executed(chunk), self.executed(previous)
        return self.predictor(latent, chunk, previous), self.motion(latent, chunk, previous)

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Imagines a sequence of commands.

        Args:
            latent: (batch, latent_dim).
            commands: (batch, steps, chunk, command_dim) [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            Latents after each step (batch, steps, latent_dim), and displacements during each (batch, steps, 3).
        """
        # Step by step only where one step needs the one before; all the rest in one call, steps first.
        chunks = self.executed(commands.transpose(0, 1))
        before = torch.cat([self.executed(previous)[None], chunks[:-1, :, -1]])
        conditions = self.predictor.conditions(chunks, before)
        latents, state = [latent], self.predictor.begin(latent)
        for step in zip(*(c.unbind(0) for c in conditions), strict=True):
            after, state = self.predictor.advance(latents[-1], state, list(step))
            latents.append(after)
        starts = torch.stack(latents[:-1]).flatten(0, 1)
        motions = self.motion(starts, chunks.flatten(0, 1), before.flatten(0, 1))
        return torch.stack(latents[1:], 1), motions.unflatten(0, before.shape[:2]).transpose(0, 1)

    # Learned heads: `AmiError` from a model that lacks the one in question; `spec` tells.

    def disagreement(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """How far `step` is to be expected off, by how much further predictors disagree, and doubt.

        Args:
            latent: (batch, latent_dim).
            chunk: (batch, chunk, command_dim) commands [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            (batch,) root mean square error to expect [latent units, in which latents have a deviation of 1], the unit
            of surprise.
        """
        if not self.spec.ensemble or self.heads.ensemble is None:
            raise missing("ensemble")
        return self.heads.ensemble.expected_error(latent, self.executed(chunk), self.executed(previous))

    def path_disagreement(self, latent: Tensor, latents: Tensor, commands: Tensor, previous: Tensor) -> Tensor:
        """`disagreement` of each step of a rollout, all in one call: a quarter of the rollout again.

        Args:
            latent: (batch, latent_dim), as was given to `rollout`.
            latents: (batch, steps, latent_dim), as `rollout` gave.
            commands: (batch, steps, chunk, command_dim) [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            (batch, steps) of each step by itself; errors add up as `accumulated` says.
        """
        found = self.disagreement(*_steps_of(latent, latents, commands, previous))
        return found.view(latents.shape[:2])


def _steps_of(latent: Tensor, latents: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The steps of a rollout as a batch of single ones (batch * steps, ...): latent, chunk and command before."""
    starts = torch.cat([latent[:, None], latents[:, :-1]], 1)
    before = torch.cat([previous[:, None], commands[:, :-1, -1]], 1)
    return starts.flatten(0, 1), commands.flatten(0, 1), before.flatten(0, 1)
