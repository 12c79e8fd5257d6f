"""A robot that walks about in a memory of exact latents."""

from harness.walker import ENCODER, LIGHT, PERIOD, Opener, Walker, model, open_memory, path, pose_error

__all__ = ["ENCODER", "LIGHT", "PERIOD", "Opener", "Walker", "model", "open_memory", "path", "pose_error"]
