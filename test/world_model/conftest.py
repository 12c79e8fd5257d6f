"""A robot whose world is a small random model, driven by commands that its wheels take in their own way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from ami_ros.world_model.adaptation import Segment, Step
from ami_ros.world_model.adapter import Adapter
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

SLOW_LEFT = ((0.8, 0.1), (0.4, 0.8))  # in units of the model: what a slow left wheel makes of commands


@pytest.fixture
def model() -> WorldModel:
    """Small and random, but commands matter to it."""
    torch.manual_seed(3)
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=8), latent_dim=8, predictor_width=16, head_width=16, chunk=2)
    model = WorldModel(spec)
    with torch.no_grad():
        for part in (model.predictor, model.motion):
            for parameter in part.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model.eval().requires_grad_(False)


class RandomDrive:
    """Gives segments, one a period, of a robot that makes `drive` of its commands."""

    def __init__(self, model: WorldModel, seed: int = 0) -> None:
        self.model, self._rng, self._stamp = model, np.random.default_rng(seed), 0.0

    def segments(self, count: int, drive: ArrayLike = ((1.0, 0.0), (0.0, 1.0))) -> Iterator[Segment]:
        """`count` more of them."""
        spec, scale = self.model.spec, self.model.command_scale.numpy()
        acts = np.asarray(drive)
        for _ in range(count):
            self._stamp += spec.period
            before = self._rng.normal(size=spec.latent_dim).astype(np.float32)
            units = self._rng.uniform(-1.0, 1.0, (spec.chunk + 1, spec.command_dim))
            truly = torch.from_numpy((units @ acts.T * scale).astype(np.float32))
            after, motion = self.model.step(torch.from_numpy(before)[None], truly[None, 1:], truly[None, 0])
            noisy = after[0].numpy() + self._rng.normal(0.0, 0.02, spec.latent_dim).astype(np.float32)
            sent = units * scale
            yield Segment(self._stamp, before, sent[0], sent[1:], noisy, motion[0].numpy().astype(np.float64))

    def teach(self, adapter: Adapter, count: int, drive: ArrayLike = ((1.0, 0.0), (0.0, 1.0))) -> list[Step]:
        """Gives `count` segments to the adapter; returns the steps that it took."""
        steps = [adapter.observe(segment) for segment in self.segments(count, drive)]
        return [step for step in steps if step is not None]


@pytest.fixture
def drive(model: WorldModel) -> RandomDrive:
    """See `RandomDrive`."""
    return RandomDrive(model)
