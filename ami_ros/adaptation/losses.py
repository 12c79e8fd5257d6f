"""What is minimised while driving, and by what models are compared."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.adaptation.segments import Segments
from ami_ros.world_model.model import WorldModel

MOTION_WEIGHT = 10.0  # of the motion's loss beside that of latents: a typical error of either then counts alike
STANDING_STILL = 0.05  # mean squared change of a latent between equal moments, by noise [-]
STRAYING = 0.3  # weight of latents that lie elsewhere than those of the training, beside the loss of seeing


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
    total = error + MOTION_WEIGHT * moved
    return (total / (1 + total)).mean()


def seeing_loss(model: WorldModel, segments: Segments) -> Tensor:
    """Mean over segments of the error of the predicted latent, as a share of it and of how the latent changed.

    The error alone is smallest for a camera that sees nothing: latents that never change are easily foretold.
    """
    latent, _ = model.step(segments.before, segments.commands, segments.previous)
    error = (latent - segments.after).square().mean(1)
    change = (segments.after - segments.before).square().mean(1)
    return (error / (error + change + STANDING_STILL)).mean()


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
    return seeing_loss(model, segments) + STRAYING * straying(torch.cat([segments.before, segments.after]))


def fit_loss(model: WorldModel, segments: Segments) -> Tensor:
    """By which models are compared: both of the above, on what each makes of the sensors.

    By motion alone, which wrong colours leave as it is, a wrong model would be hard to tell from a right one.
    """
    seen = as_seen(model, segments)
    return driving_loss(model, seen) + seeing_loss(model, seen)
