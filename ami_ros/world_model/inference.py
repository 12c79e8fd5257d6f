"""A trained model without torch: the same numbers by NumPy, for processes that encode and foretell, and learn nothing.

Torch takes 190 MB of each process. What is computed at a time is small, one moment or some places, and takes as long
this way. The layers have the names of `model.WorldModel`, and a test compares all functions of all models that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.arrays import AS_TRAINED, ArrayCritic, ArrayModel, Bytes, Floats
from ami_ros.world_model.inference_pairs import InferencePairs
from ami_ros.world_model.layers import (
    Layer,
    Weights,
    batch_norm,
    circular_convolution,
    convolution,
    flattened,
    gelu,
    group_norm,
    layer_norm,
    linear,
    mlp,
    mlp_of_two,
    sequence,
    standardised,
    unit,
    unshuffled,
)  # fmt: skip
from ami_ros.world_model.spec import CONTRAST_TEMPERATURE, ModelSpec, Sensors, missing


class InferencePredictor:
    """Names and formulas are those of `ResidualPredictor`.

    Args:
        weights: of the whole model, by the names of its `state_dict`.
        blocks: of the predictor.
    """

    def __init__(self, weights: Weights, blocks: int) -> None:
        def two(name: str) -> Layer:
            return sequence(linear(weights, f"{name}.0"), gelu, linear(weights, f"{name}.2"))

        names = [f"predictor.blocks.{k}" for k in range(blocks)]
        self._enter, self._leave = linear(weights, "predictor.enter"), linear(weights, "predictor.leave")
        self._condition, self._motion = two("predictor.condition"), mlp(weights, "motion.layers")
        self._blocks = [(linear(weights, f"{name}.modulation"), two(f"{name}.mlp")) for name in names]

    def rollout(self, latent: Floats, given: Floats) -> tuple[Floats, Floats]:
        """Imagines.

        Args:
            latent: (batch, latent_dim).
            given: (steps, batch, n) the command before each step and its chunk, as executed.

        Returns:
            Latents after each step (batch, steps, latent_dim), and displacements during each (batch, steps, 3).
        """
        latents = [latent]
        for modulations in zip(*self._modulations(given), strict=True):
            latents.append(self._advance(latents[-1], modulations))
        motions = self._motion(np.concatenate([np.stack(latents[:-1]), given], -1))
        return np.stack(latents[1:], 1), motions.transpose(1, 0, 2)

    def _modulations(self, given: Floats) -> list[Floats]:
        """What commands (steps, batch, n) do to each block: 1 + scale, shift and gate (steps, batch, 3 * width)."""
        commands, found = self._condition(given), []
        for modulation, _ in self._blocks:
            scale_shift_gate = modulation(commands)
            scale_shift_gate[..., : commands.shape[-1]] += 1.0
            found.append(scale_shift_gate)
        return found

    def _advance(self, latent: Floats, modulations: tuple[Floats, ...]) -> Floats:
        """One step ahead of latents (batch, latent_dim), by the modulation of each block (batch, 3 * width)."""
        x = self._enter(latent)
        for modulation, (_, layers) in zip(modulations, self._blocks, strict=True):
            scale, shift, gate = np.split(modulation, 3, -1)
            inside = standardised(x)
            inside *= scale
            inside += shift
            added = layers(inside)
            added *= gate
            x += added
        after = self._leave(x)
        after += latent
        return after


class InferenceModel(ArrayModel):
    """A `WorldModel` whose encoder and predictor are the ones that ship.

    Args:
        spec: of the model.
        weights: by the names of its `state_dict`.
        drive: what is adapted, see `WorldModel`; None: as trained.
        colours: likewise.
    """

    def __init__(
        self,
        spec: ModelSpec,
        weights: Mapping[str, NDArray[Any]],
        drive: Floats | None = None,
        colours: Floats | None = None,
    ) -> None:
        self.spec, self.weights = spec, weights
        self._drive = np.eye(spec.command_dim, dtype=np.float32) if drive is None else drive
        self._colours = AS_TRAINED.copy() if colours is None else colours
        self._scale = np.array(spec.command_maxima, np.float32)

    @property
    def colours(self) -> Floats:
        return self._colours

    @property
    def drive(self) -> Floats:
        return self._drive

    def private_copy(self) -> InferenceModel:
        """The same model with `drive` and `colours` of its own."""
        own = InferenceModel(self.spec, self.weights, self.drive.copy(), self.colours.copy())
        own.__dict__["pairs"] = self.pairs  # there is one camera
        return own

    # Sensors

    def encode(self, sensors: Sensors) -> Floats:
        parts = [branch(value) for branch, value in zip(self._branches, sensors, strict=True) if branch is not None]
        return self._join(np.concatenate(parts, 1))

    def encode_goal(self, image: Bytes) -> Floats:
        if not self.spec.inputs.image_size:
            raise ValueError("this model has no image input, so a picture cannot be its goal")
        return self._goals(image)

    def encode_picture(self, image: Bytes) -> Floats:
        if self.pairs is not None:
            return self.pairs.code(image)
        if not self.spec.sight_code:
            raise ValueError("this model does not compare pictures: its spec has neither pair_size nor sight_code")
        return self._sights(image)

    @cached_property
    def _branches(self) -> tuple[Layer | None, Layer | None]:
        inputs = self.spec.inputs
        image = self._pictures("encoder.image") if inputs.image_size else None
        return image, self._scans("encoder.scan.layers") if inputs.scan_beams else None

    @cached_property
    def _join(self) -> Layer:
        w, name = self.weights, "encoder.join"
        return sequence(linear(w, f"{name}.0"), gelu, linear(w, f"{name}.2"), batch_norm(w, f"{name}.3"))

    @cached_property
    def _goals(self) -> Layer:
        head = sequence(*(linear(self.weights, f"goal_head.{k}") if k % 2 == 0 else gelu for k in range(5)))
        assert self._branches[0] is not None
        return sequence(self._branches[0], head)

    @cached_property
    def _sights(self) -> Layer:
        return sequence(self._pictures("sighting.encoder"), linear(self.weights, "sighting.out"))

    def _pictures(self, name: str) -> Layer:
        """As `ConvolutionEncoder`."""
        w, layers = self.weights, []
        for k in (1, 4, 7):
            norm = group_norm(w, f"{name}.convolutions.{k + 1}")
            layers += [convolution(w, f"{name}.convolutions.{k}", 2), norm, gelu]
        last = sequence(flattened, linear(w, f"{name}.linear.1"), layer_norm(w, f"{name}.linear.2"))

        def pixels(image: Bytes) -> Floats:
            x: Floats = (image / 255 - 0.5).astype(np.float32)
            return unshuffled(x.transpose(0, 2, 3, 1), 2)

        return sequence(pixels, *layers, last)

    def _scans(self, name: str) -> Layer:
        """As `ScanEncoder`."""
        w, reach = self.weights, self.spec.inputs.scan_range
        layers = [layer for k in (0, 2, 4) for layer in (circular_convolution(w, f"{name}.{k}", 2), gelu)]
        last = linear(w, f"{name}.7"), layer_norm(w, f"{name}.8")

        def beams(scan: Floats) -> Floats:
            near = np.minimum(scan, np.float32(reach))
            return np.stack([near / np.float32(reach), np.exp(-near)], -1)

        return sequence(beams, *layers, lambda x: x.transpose(0, 2, 1).reshape(len(x), -1), *last)

    # Latents

    @cached_property
    def contrast(self) -> ArrayCritic:
        return _Contrast(self.weights)

    @cached_property
    def pairs(self) -> ArrayPairs | None:
        return InferencePairs(self.spec, self.weights) if self.spec.pair_size else None

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        out = self._pose(first, second)
        return np.concatenate([out[..., :2], unit(out[..., 2:], 1e-6)], -1)

    @cached_property
    def _pose(self) -> Callable[[Floats, Floats], Floats]:
        return mlp_of_two(self.weights, "relative_pose.layers")

    @cached_property
    def sighting(self) -> Callable[[Floats, Floats, Floats], Floats] | None:
        return self._sighted if self.spec.sight_code and self.spec.inputs.image_size else None

    def _sighted(self, latent: Floats, here: Floats, there: Floats) -> Floats:
        out = self._sighting(np.concatenate([latent, here, there], -1))
        return np.concatenate([out[..., :2], unit(out[..., 2:4], 1e-6), out[..., 4:].clip(-5.0, 2.0)], -1)

    @cached_property
    def _sighting(self) -> Layer:
        return mlp(self.weights, "sighting.head")

    # Commands

    def executed(self, commands: Floats) -> Floats:
        """As `WorldModel.executed`."""
        return np.asarray((commands / self._scale) @ self.drive.T)

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        chunks, before = self._steps(commands, previous)
        return self._predictor.rollout(latent, np.concatenate([before, chunks], -1))

    def path_disagreement(self, latent: Floats, latents: Floats, commands: Floats, previous: Floats) -> Floats:
        if not self.spec.ensemble:
            raise missing("ensemble")
        chunks, before = self._steps(commands, previous)
        starts = np.concatenate([latent[:, None], latents[:, :-1]], 1).transpose(1, 0, 2)
        x = np.concatenate([starts, before, chunks], -1)
        found = self._expected_error(x.reshape(-1, x.shape[-1]))
        return found.reshape(x.shape[:2]).T

    def _steps(self, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        """Each step's commands (steps, batch, n), and the one before (steps, batch, command_dim), as executed."""
        chunks = self.executed(commands).transpose(1, 0, 2, 3)
        before = np.concatenate([self.executed(previous)[None], chunks[:-1, :, -1]])
        return chunks.reshape(*chunks.shape[:2], -1), before

    @cached_property
    def _predictor(self) -> InferencePredictor:
        return InferencePredictor(self.weights, self.spec.predictor_blocks)

    def _expected_error(self, x: Floats) -> Floats:
        """As `Ensemble.expected_error`, of (n, latent, command before and chunk) -> (n,)."""
        w, name = self.weights, "heads.ensemble"
        for layer in range(3):
            x = (gelu(x) if layer else x) @ w[f"{name}.weights.{layer}"] + w[f"{name}.biases.{layer}"]
        change, squared = x[..., :-1], x[..., -1]
        variance = np.square(change - change.mean(0)).mean(-1).sum(0) / (len(change) - 1)
        uncertainty = np.sqrt(np.maximum(variance + np.exp(squared).mean(0), 1e-12))
        offset, slope = w[f"{name}.calibration"]
        return np.asarray(np.exp(offset + slope * np.log(uncertainty)))


class _Contrast(ArrayCritic):
    temperature = CONTRAST_TEMPERATURE

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._query, self._key = mlp(weights, "contrast.query"), mlp(weights, "contrast.key")

    def queries(self, latents: Floats) -> Floats:
        return unit(self._query(latents))

    def keys(self, latents: Floats) -> Floats:
        return unit(self._key(latents))
