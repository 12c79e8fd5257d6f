"""Light that a world can be seen in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.simulation.layout import wall_length
from ami_ros.simulation.world import Interior, Light, World

LIGHTS = ("day", "night", "lamps_off", "dim", "other_lamps", "sun_patch")
MOON = 0.01  # daylight by night
DUSK = 0.15, 0.35  # what is left of light from everywhere by night, and with all lamps off
DIM = 1 / 3  # of their brightness that lamps have
OPEN_SKY = {"day": 1.0, "night": 0.3, "lamps_off": 0.6, "dim": 0.6, "other_lamps": 1.0}  # of a world without ceilings
BRIGHT = 0.8  # daylight when the sun shines
LOW_SUN = math.radians(32.0)


def lit(world: World, light: str, seed: int = 0) -> World:
    """`world` in one of LIGHTS: by `day` without sun and with its lamps as they are, by `night` with lamps alone, by
    day with all `lamps_off`, with `dim` lamps or with `other_lamps` on, half of them by `seed`; or with the sun's
    patches on the floor.

    Raises:
        AmiError: the sun has no window to shine through.
    """
    lamps = list(world.lights)
    if light in ("lamps_off", "dim"):
        share = 0.0 if light == "lamps_off" else DIM
        lamps = [replace(lamp, brightness=share * lamp.brightness) for lamp in lamps]
    elif light == "other_lamps":
        lamps = _others(lamps, np.random.default_rng([seed, 3]))
    if world.interior is None:
        if light == "sun_patch":
            raise AmiError(f"world '{world.name}' has no ceiling and no windows for a sun_patch; take another light")
        return replace(world, lights=tuple(lamps), brightness=OPEN_SKY[light])
    interior = _interior(world, world.interior, light)
    return replace(world, lights=tuple(lamps), interior=interior)


def _others(lamps: list[Light], rng: np.random.Generator) -> list[Light]:
    """Those on that were off, and half of the others off."""
    usual = float(np.median([lamp.brightness for lamp in lamps if lamp.brightness > 0] or [0.4]))
    return [
        replace(lamp, brightness=usual if lamp.brightness == 0 or rng.random() < 0.5 else 0.0) for lamp in lamps
    ]  # fmt: skip


def _interior(world: World, interior: Interior, light: str) -> Interior:
    if light == "night":
        return replace(interior, daylight=MOON, sun=None, ambient=DUSK[0] * interior.ambient)
    if light == "lamps_off":
        return replace(interior, ambient=DUSK[1] * interior.ambient)
    if light == "sun_patch":
        return replace(interior, daylight=max(BRIGHT, interior.daylight), sun=(_towards_windows(world), LOW_SUN))
    return replace(interior, sun=None) if light == "day" else interior


def _towards_windows(world: World) -> float:
    """Where the sun has to stand to shine through most of the windows [rad]."""
    walls = {wall.name: wall for wall in world.walls}
    outwards = []
    for poster in world.posters:
        if poster.kind == "window":
            wall = walls[poster.wall]
            along = np.subtract(wall.end, wall.start) / wall_length(wall)
            inwards = np.array([-along[1], along[0]]) * (1 if poster.side == "left" else -1)
            outwards.append(-inwards)
    if not outwards:
        raise AmiError(f"world '{world.name}' has no windows for a sun_patch; take another light")
    directions = np.array(outwards)
    best = directions[int((directions @ directions.T > 0.7).sum(axis=1).argmax())]
    return float(np.arctan2(best[1], best[0]) + 0.3)  # aslant
