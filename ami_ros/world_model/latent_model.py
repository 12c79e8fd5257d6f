"""The world model, written once: encoder, predictor and heads under one roof; and how arrays ask it, without torch or
with it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.world_model import layers
from ami_ros.world_model.layers import AS_TRAINED, Bytes, Network, Values, kind_of
from ami_ros.world_model.model_files import LoadedModel, read_model
from ami_ros.world_model.networks import (
    Contrast,
    ConvolutionEncoder,
    Encoder,
    LearnedHeads,
    MakeEncoder,
    Motion,
    RelativePose,
    ResidualPredictor,
    SightingHead,
    mlp,
)
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.spec import ModelSpec, Sensors, missing

# The world model, written once: encoder, predictor and heads under one roof, for arrays and for tensors.
#
# `model.WorldModel` is it by torch, and learns; `inference.InferenceModel` is it on arrays, and drives.


class Model(Network):
    """A joint-embedding predictive world model.

    Commands are in SI units at this interface, (..., command_dim): linear [m/s], angular [rad/s] and, where the spec
    has a `max_lateral`, lateral [m/s] (`ami_ros.core.commands`); inside they are scaled by the spec's maxima.

    Args:
        nn: the layers, see `layers`.
        spec: of it.
        make_encoder: of pictures.
        make_predictor: see `networks.Predictor`.
    """

    spec: ModelSpec
    encoder: Any
    predictor: Any
    pairs: Any  # a `PairHead`, or None
    command_scale: Values
    drive: Values
    colours: Values

    def __init__(self, nn: Any, spec: ModelSpec, make_encoder: MakeEncoder, make_predictor: MakeEncoder) -> None:
        self.spec = spec
        self.encoder = nn.network(Encoder, spec, make_encoder)
        self.predictor = make_predictor(spec)
        self.inverse_dynamics = mlp(nn, 2 * spec.latent_dim, spec.head_width, spec.command_dim * spec.chunk)
        self.relative_pose = nn.network(RelativePose, spec)
        self.motion = nn.network(Motion, spec)
        self.contrast = nn.network(Contrast, spec)
        width, sees = spec.encoder_width, spec.inputs.image_size > 0
        self.goal_head = mlp(nn, width, 2 * width, spec.latent_dim) if sees else None
        # Last: the weights of all others are the same with and without these.
        self.sighting = nn.network(SightingHead, spec, make_encoder) if spec.sight_code and sees else None
        self.heads = nn.network(LearnedHeads, spec)
        self.pairs = nn.network(PairHead, spec) if spec.pair_size else None
        self.hold("command_scale", np.array(spec.command_maxima, np.float32))
        # What the robot makes of commands, beside the robot of the training data; `adaptation` learns it while driving.
        self.hold("drive", np.eye(spec.command_dim, dtype=np.float32))
        # What its camera makes of red, green and blue, likewise: gain and offset [of the full range] that undo it.
        self.hold("colours", AS_TRAINED.copy())

    def seen(self, image: Values) -> Values:
        """What this robot's camera sees now, as the camera of the training data would have seen it.

        Pictures of goals are not passed through it: they were taken by a camera as it should be.

        Args:
            image: (batch, 3, size, size), 0 to 255.

        Returns:
            Likewise; differentiable by `colours`.
        """
        gain, offset = self.colours[:, 0, None, None], self.colours[:, 1, None, None]
        grey = 127.5  # about which the gain is taken: so it and the offset hardly depend on each other
        return ((image - grey) * gain + grey + 255 * offset).clip(0, 255)

    def encode(self, sensors: Sensors) -> Values:
        """Sensors of a batch -> (batch, latent_dim)."""
        return self.encoder(sensors)[0]

    def encode_goal(self, image: Values) -> Values:
        """A picture alone, as a goal is: (batch, 3, size, size) uint8 -> (batch, latent_dim)."""
        if self.goal_head is None:
            raise ValueError("this model has no image input, so a picture cannot be its goal")
        return self.goal_head(self.encoder.features(image))

    def encode_picture(self, image: Values) -> Values:
        """A picture for `pairs` or `sighting`, of now or of a goal: (batch, 3, size, size) uint8 -> (batch, code)."""
        if self.pairs is not None:
            return self.pairs.code(image)
        if self.sighting is None:
            raise ValueError("this model does not compare pictures: its spec has neither pair_size nor sight_code")
        return self.sighting.code(image)

    def executed(self, commands: Values) -> Values:
        """Commands (..., command_dim) as the networks take them: in units of the maxima, as this robot drives."""
        return (commands / self.command_scale) @ self.drive.T

    def step(self, latent: Values, chunk: Values, previous: Values) -> tuple[Values, Values]:
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

    def rollout(self, latent: Values, commands: Values, previous: Values) -> tuple[Values, Values]:
        """Imagines a sequence of commands.

        Args:
            latent: (batch, latent_dim).
            commands: (batch, steps, chunk, command_dim) [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            Latents after each step (batch, steps, latent_dim), and displacements during each (batch, steps, 3).
        """
        # Step by step only where one step needs the one before; all the rest in one call, steps first.
        chunks, before = self._steps(commands, previous)
        conditions = self.predictor.conditions(chunks, before)
        latents, state = [latent], self.predictor.begin(latent)
        for step in zip(*conditions, strict=True):
            after, state = self.predictor.advance(latents[-1], state, list(step))
            latents.append(after)
        xp = kind_of(latent)
        motions = self.motion(xp.stack(latents[:-1]), chunks, before)
        return xp.stack(latents[1:], 1), motions.swapaxes(0, 1)

    def disagreement(self, latent: Values, chunk: Values, previous: Values) -> Values:
        """As `path_disagreement`, of one step: of arguments as of `step` (batch,)."""
        return self.path_disagreement(latent, latent[:, None], chunk[:, None], previous)[:, 0]

    def path_disagreement(self, latent: Values, latents: Values, commands: Values, previous: Values) -> Values:
        """How far each step of a rollout is to be expected off, by how much further predictors disagree, and doubt.

        All are in one call, which takes a quarter of the rollout again.

        Args:
            latent: (batch, latent_dim), as was given to `rollout`.
            latents: (batch, steps, latent_dim), as `rollout` gave.
            commands: (batch, steps, chunk, command_dim) [SI units].
            previous: (batch, command_dim) the command in force before.

        Returns:
            (batch, steps) root mean square error to expect [latent units, in which latents have a deviation of 1], the
            unit of surprise, of each step by itself; errors add up as `accumulated` says.

        Raises:
            AmiError: the model has no ensemble.
        """
        if self.heads.ensemble is None:
            raise missing("ensemble")
        chunks, before = self._steps(commands, previous)
        starts = kind_of(latent).concatenate([latent[None], latents.swapaxes(0, 1)[:-1]])
        rows = (values.reshape(-1, *values.shape[2:]) for values in (starts, chunks, before))
        return self.heads.ensemble.expected_error(*rows).reshape(before.shape[:2]).T

    def _steps(self, commands: Values, previous: Values) -> tuple[Values, Values]:
        """Each step's commands (steps, batch, chunk, n), and the one before (steps, batch, n), as executed."""
        chunks = self.executed(commands).swapaxes(0, 1)
        return chunks, kind_of(chunks).concatenate([self.executed(previous)[None], chunks[:-1, :, -1]])


# A trained model without torch: for processes that encode and foretell, and learn nothing.
#
# Torch takes 190 MB of each process. What is computed at a time is small, one moment or some places, and takes as long
# this way.


class ArrayModel:
    """What is asked by arrays: an `InferenceModel`, or by torch; both have the functions of `Model`."""

    colours: Any

    def seen(self, image: Bytes) -> Bytes:
        """As `Model.seen`, in whole steps."""
        if np.array_equal(self.colours, AS_TRAINED):
            return image
        return Model.seen(self, image).round().astype(np.uint8)  # type: ignore[arg-type,no-any-return]


class InferenceModel(ArrayModel, Model, layers.Module):
    """A `Model` whose encoder and predictor are the ones that ship.

    Args:
        spec: of the model.
        weights: by the names that files have.

    Raises:
        ValueError: the weights do not fit.
    """

    def __init__(self, spec: ModelSpec, weights: layers.Weights) -> None:
        def made(kind: type) -> Any:
            return lambda spec: layers.network(kind, spec)

        Model.__init__(self, layers, spec, made(ConvolutionEncoder), made(ResidualPredictor))
        self.load(weights)

    def private_copy(self) -> InferenceModel:
        """The same model with `drive` and `colours` of its own."""
        own = copy.copy(self)
        own.drive, own.colours = self.drive.copy(), self.colours.copy()
        return own


def load_inference(named: str | Path) -> LoadedModel:
    """Reads a model, which is named as for `model_folder`.

    Raises:
        AmiError: as `read_model`.
    """
    return read_model(named, InferenceModel)
