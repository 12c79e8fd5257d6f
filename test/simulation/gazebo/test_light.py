"""Colours and lights are such that Gazebo's renderer shows what ours does.

gz-rendering 8 (ogre2) reckons in linear light: it decodes pictures, takes colours and lights as they are given, and
encodes what it drew (Ogre2RenderTarget: RGBA8_UNORM_SRGB). MuJoCo multiplies plain values.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ami_ros.simulation.gazebo.light import linear
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.interior_scene import scene_of
from ami_ros.simulation.world_file import load_world
from harness.sdf import encoded


@pytest.mark.parametrize("value", [0.0, 0.03, 0.2, 0.5, 1.0])
def test_color_is_shown_as_it_is_named(value: float) -> None:
    assert encoded(linear(value)) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("name", ["home", "two_rooms"])
def test_surface_is_as_bright_as_in_our_simulator_with_a_lamp_on_it_and_without(name: str, tmp_path: Path) -> None:
    world = load_world(name)
    light, beams = scene_of(world).surroundings, scene_of(world).beams
    root = ElementTree.parse(write_world(world, tmp_path)).getroot()
    ambient = float((root.findtext("world/scene/ambient") or "").split()[0])
    lamps = [float((lamp.text or "").split()[0]) for lamp in root.iterfind("world/light/diffuse")]
    assert len(lamps) == len(beams)
    plain = light.ambient + light.frontal / 2  # of what comes along the view, half falls on what is met aslant
    for texture in (0.2, 0.5, 0.8):
        assert encoded(linear(texture) * ambient) == pytest.approx(texture * plain, abs=0.02)
        for lamp, beam in zip(lamps, beams, strict=True):
            ours = min(1.0, texture * (plain + beam.strength))
            assert encoded(linear(texture) * (ambient + lamp)) == pytest.approx(ours, abs=0.02)


def test_sky_is_shown_as_it_is_named(tmp_path: Path) -> None:
    world = load_world("home")
    shown = (ElementTree.parse(write_world(world, tmp_path)).getroot().findtext("world/scene/background") or "").split()
    mean = np.array(scene_of(world).surroundings.sky).mean(axis=0)
    assert [encoded(float(v)) for v in shown[:3]] == pytest.approx(mean.tolist(), abs=1e-3)
