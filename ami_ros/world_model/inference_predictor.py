"""`predictors.ResidualPredictor` and the motion head by NumPy: what a search asks for most.

Step by step goes only what needs the step before; all the rest is one product for all steps.
"""

from __future__ import annotations

import numpy as np

from ami_ros.world_model.arrays import Floats
from ami_ros.world_model.layers import Layer, Weights, gelu, linear, mlp, sequence, standardised


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
            inside = standardised(x, (-1,))
            inside *= scale
            inside += shift
            added = layers(inside)
            added *= gate
            x += added
        after = self._leave(x)
        after += latent
        return after
