"""Probes: small regressions that show how much of the true pose a latent holds, in a form that can be read out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ami_ros.evaluation.encoded import Encoded
from ami_ros.geometry import Array, from_cos_sin, wrap
from ami_ros.world_model.heads import mlp

STEPS, BATCH, WIDTH = 1500, 256, 256
RIDGE = 1e-3

Reader = Callable[[NDArray[np.float32]], Array]  # latents (k, dim) -> poses (k, 3)


@dataclass(frozen=True)
class Probe:
    """A probe and what it is off by at the tested moments."""

    read: Reader
    position_m: Array  # (n,)
    heading_rad: Array  # (n,)


def fit_probes(encoded: Encoded, seed: int) -> tuple[Probe, Probe]:
    """A linear probe and an MLP, learned at the moments that are not tested."""
    latents, truth, tested = encoded.latents, encoded.truth, encoded.tested
    wanted = _targets(truth)
    centre, scale = wanted[~tested].mean(0), wanted[~tested].std(0) + 1e-6
    inputs, targets = latents[~tested], ((wanted[~tested] - centre) / scale).astype(np.float32)

    def probe(predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Probe:
        def read(seen: NDArray[np.float32]) -> Array:
            values = predict(seen) * scale + centre
            return from_cos_sin(values)

        return Probe(read, *errors(read(latents[tested]), truth[tested]))

    return probe(_linear(inputs, targets)), probe(_trained(inputs, targets, seed))


def errors(seen: Array, truth: Array) -> tuple[Array, Array]:
    """Distances [m] and angles [rad] between poses (n, 3)."""
    return np.hypot(*(seen[:, :2] - truth[:, :2]).T), np.abs(wrap(seen[:, 2] - truth[:, 2]))


def _targets(poses: Array) -> Array:
    return np.column_stack([poses[:, :2], np.cos(poses[:, 2]), np.sin(poses[:, 2])])


def _linear(inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> Callable[..., NDArray[np.float32]]:
    def extended(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.column_stack([values, np.ones(len(values), np.float32)])

    x = extended(inputs).astype(np.float64)
    weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ targets).astype(np.float32)
    return lambda values: np.asarray(extended(values) @ weights)


def _trained(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], seed: int
) -> Callable[..., NDArray[np.float32]]:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: nn.Module = mlp(inputs.shape[1], WIDTH, targets.shape[1])
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,), generator=generator)
        loss = functional.smooth_l1_loss(net(x[rows]), y[rows], beta=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()

    def predict(values: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(net(torch.from_numpy(np.ascontiguousarray(values))).numpy())

    return predict
