"""Online adaptation: one guarded gradient step at a time, on the newest executed segments.

After AdaJEPA's test-time adaptation, with two additions. How commands act is learned as a matrix of its own (`drive`),
before anything else: that is what changes about a robot, and four numbers learn from seconds of driving. What the
camera makes of colours (`colours`, six numbers) is undone in the picture, before it is encoded, so latents stay those
that memory knows. And the model as it was trained is never given up: whichever of the two explains the newest driving
better is in use, so a robot that is as before again is driven as before at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ami_ros.core.errors import AmiError
from ami_ros.world_model.adaptation import (
    COLOURS,
    DRIVE,
    AdaptationConfig,
    Segment,
    Segments,
    SegmentStore,
    Step,
    Weights,
    adaptable,
    apply,
    single,
)
from ami_ros.world_model.torch_model import WorldModel


@dataclass(frozen=True)
class AdapterConfig:
    """How losses are weighed and steps are judged; no robot needs other values."""

    motion_weight: float = 10.0  # of the motion's loss beside that of latents: typical errors of both then count alike
    standing_still: float = 0.05  # mean squared change of a latent between equal moments, by noise [-]
    straying: float = 0.3  # weight of latents that lie elsewhere than those of the training, beside the loss of seeing
    block: int = 5  # neighbouring segments overlap: of so many in a row ...
    held_out: int = 4  # ... every fourth block is never learned from
    standing: float = 0.05  # [m/s] and [rad/s]: commands up to this teach nothing
    compared: int = 10  # newest segments by which it is chosen what is in use
    better: float = 0.8  # of the other's loss, for a change of what is in use
    shorter: float = 0.5  # steps after one that was undone
    longer: float = 1.5  # likewise after one that was kept
    rates: tuple[float, float] = (1 / 16, 2.0)  # least and greatest, of the configured one


JUDGED = AdapterConfig()
Loss = Callable[[WorldModel, Segments], Tensor]


def as_seen(model: WorldModel, segments: Segments) -> Segments:
    """The segments with the latents that `model` makes of their sensors; as they are where those were not kept."""
    sensors = segments.sensors
    if sensors is None:
        return segments
    if sensors.image is not None:
        sensors = sensors._replace(image=model.seen(sensors.image))
    before, after = model.encode(sensors).unflatten(0, (-1, 2)).unbind(1)
    return segments._replace(before=before, after=after)


def driving_loss(model: WorldModel, segments: Segments) -> Tensor:
    """Mean over segments of the error of latent and motion, of which none counts for more than 1.

    A robot that was carried away or pushed is no lesson about its wheels, so large errors saturate (Geman & McClure,
    Bulletin of the ISI, 1987).
    """
    latent, motion = model.step(segments.before, segments.commands, segments.previous)
    error = (latent - segments.after).square().mean(1)
    moved = functional.smooth_l1_loss(motion, segments.motion, beta=0.02, reduction="none").mean(1)
    total = error + JUDGED.motion_weight * moved
    return (total / (1 + total)).mean()


def seeing_loss(model: WorldModel, segments: Segments) -> Tensor:
    """Mean over segments of the error of the predicted latent, as a share of it and of how the latent changed.

    The error alone is smallest for a camera that sees nothing: latents that never change are easily foretold.
    """
    latent, _ = model.step(segments.before, segments.commands, segments.previous)
    error = (latent - segments.after).square().mean(1)
    change = (segments.after - segments.before).square().mean(1)
    return (error / (error + change + JUDGED.standing_still)).mean()


def straying(latents: Tensor) -> Tensor:
    """How far the mean and the deviation of latents (n, latent_dim) are from those of the training.

    The encoder's last BatchNorm made these 0 and 1 in every number. Of a few moments at one place they are not; of
    moments at many places nearly, as long as the camera is the one that was trained with (corrupted pictures show in
    the statistics of activations, Schneider et al., arXiv 2006.16971).
    """
    return (latents.mean(0).square() + (latents.std(0) - 1).square()).mean()


def colours_loss(model: WorldModel, segments: Segments) -> Tensor:
    """What colours are learned by, from segments at many places: `seeing_loss`, and latents where they used to lie.

    A world model that is good enough foretells a tinted world as well as the true one, only elsewhere.
    """
    return seeing_loss(model, segments) + JUDGED.straying * straying(torch.cat([segments.before, segments.after]))


def fit_loss(model: WorldModel, segments: Segments) -> Tensor:
    """By which models are compared: both of the above, on what each makes of the sensors.

    By motion alone, which wrong colours leave as it is, a wrong model would be hard to tell from a right one.
    """
    seen = as_seen(model, segments)
    return driving_loss(model, seen) + seeing_loss(model, seen)


class _Part:
    """What steps may change, how fast, by which loss, and the segments that it is learned from and judged by."""

    def __init__(self, tensor: Tensor, rate: float, loss: Loss, capacity: int, rng: np.random.Generator) -> None:
        self.tensor, self.rate, self.loss = tensor, rate, loss
        self.recent, self.held_out = SegmentStore(capacity, rng), SegmentStore(capacity // 3, rng)
        self.begin(rate)

    def begin(self, rate: float) -> None:
        """A fresh optimiser (Adam, arXiv 1412.6980): after a step was undone, momentum would lead there again."""
        self.optimiser = torch.optim.Adam([self.tensor.requires_grad_(True)], rate)

    def next_rate(self, factor: float) -> float:
        """The rate of the newest step times a factor, within limits."""
        rate = self.optimiser.param_groups[0]["lr"]
        least, greatest = JUDGED.rates
        return float(np.clip(factor * rate, least * self.rate, greatest * self.rate))


class Adapter:
    """Call `observe` for every executed segment; not thread-safe.

    Args:
        trained: the model as it was trained; never changed.
        config: how.
        weights: what was adapted before, to begin with; in use at once.
        seed: of the choice of segments.

    Raises:
        AmiError: colours are to be learned of a model that does not see.
    """

    def __init__(
        self, trained: WorldModel, config: AdaptationConfig, weights: Weights | None = None, seed: int = 0
    ) -> None:
        self.trained, self.config = trained, config
        self.model = trained.private_copy()
        self.frozen = False
        self.kept = self.rolled_back = self.version = 0
        self._compared: deque[tuple[float, float]] = deque(maxlen=JUDGED.compared)
        self._came, self._stepped = 0, -np.inf
        self.in_use = weights is not None
        if weights is not None:
            apply(weights, self.model, trained)
        rng = np.random.default_rng(seed)
        self._parts = {DRIVE: _Part(self.model.drive, config.rate, driving_loss, config.recent, rng)}
        if config.colours:
            if COLOURS not in adaptable(self.model):
                raise AmiError("adaptation: this model has no pictures to learn colours from; leave learning.colours")
            # They take pictures of many places: one segment of each block, so that as many go back five times as far.
            self._parts[COLOURS] = _Part(self.model.colours, config.colours_rate, colours_loss, config.recent, rng)

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """What was adapted (copies): how commands act, and what else differs from the trained model."""
        own, original = adaptable(self.model), adaptable(self.trained)
        changed = (name for name in own if name == DRIVE or not np.array_equal(own[name], original[name]))
        return {name: own[name].copy() for name in changed}

    @property
    def weights_in_use(self) -> dict[str, NDArray[Any]]:
        """What everybody should use now: what was adapted, or nothing, which is the model as it was trained."""
        return self.weights if self.in_use else {}

    @property
    def losses(self) -> tuple[float, float]:
        """On the newest segments: of the trained model, and adapted; NaN before there are any."""
        if not self._compared:
            return float("nan"), float("nan")
        trained, adapted = np.mean(self._compared, axis=0)
        return float(trained), float(adapted)

    def revert(self) -> None:
        """Back to the model as it was trained, and frozen."""
        apply({}, self.model, self.trained)
        self._compared.clear()
        for part in self._parts.values():
            part.begin(part.rate)
        self.in_use, self.frozen = False, True
        self.version += 1

    def observe(self, segment: Segment) -> Step | None:
        """Takes a segment in, chooses what is in use, and takes a step if one is due (some milliseconds)."""
        if np.abs(segment.commands).max() <= JUDGED.standing:
            return None
        self._choose(segment)
        if self.frozen:
            return None
        block, nth = divmod(self._came, JUDGED.block)
        is_held_out = block % JUDGED.held_out == JUDGED.held_out - 1
        self._came += 1
        for name, part in self._parts.items():
            if name == DRIVE or nth == 0:  # how commands act takes latents as they came
                kept = replace(segment, sensors=None) if name == DRIVE else segment
                (part.held_out if is_held_out else part.recent).add(kept)
        drive = self._parts[DRIVE]
        is_due = abs(segment.stamp - self._stepped) >= self.config.period
        if not is_due or len(drive.recent) < self.config.batch or not len(drive.held_out):
            return None
        self._stepped = segment.stamp
        return self._step(segment.stamp)

    def _choose(self, segment: Segment) -> None:
        batch = single(segment)
        with torch.no_grad():
            self._compared.append((float(fit_loss(self.trained, batch)), float(fit_loss(self.model, batch))))
        trained, adapted = self.losses
        better = trained < JUDGED.better * adapted if self.in_use else adapted < JUDGED.better * trained
        if len(self._compared) == JUDGED.compared and better:
            self.in_use = not self.in_use
            self.version += 1

    def _step(self, stamp: float) -> Step:
        number, batch = self.kept + self.rolled_back, self.config.batch
        ready = [n for n, p in self._parts.items() if len(p.recent) >= batch and len(p.held_out)]
        name = ready[number % len(ready)]
        part, undo = self._parts[name], self.weights
        before = self._judge(part)
        self.model.drive.grad = self.model.colours.grad = None
        part.loss(self.model, as_seen(self.model, part.recent.draw(batch))).backward()  # type: ignore[no-untyped-call]
        part.optimiser.step()
        after = self._judge(part)
        reason = "" if after <= before else "no better on the newest driving" if np.isfinite(after) else "not finite"
        if reason:
            apply(undo, self.model, self.trained)
            part.begin(part.next_rate(JUDGED.shorter))
            self.rolled_back += 1
        else:
            part.optimiser.param_groups[0]["lr"] = part.next_rate(JUDGED.longer)
            self.kept += 1
            self.version += self.in_use
        return Step(stamp, number + 1, name, not reason, reason, before, after)

    @torch.no_grad()
    def _judge(self, part: _Part) -> float:
        """The loss on what is not learned from: the newest held-out segments."""
        return float(part.loss(self.model, as_seen(self.model, part.held_out.all())))
