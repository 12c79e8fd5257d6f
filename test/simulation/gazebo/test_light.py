"""Colours and lights are such that Gazebo's renderer shows what ours does.

gz-rendering 8 (ogre2) reckons in linear light: it decodes pictures, takes colours and lights as they are given, and
encodes what it drew (Ogre2RenderTarget: RGBA8_UNORM_SRGB). MuJoCo multiplies plain values. The rest is as its shaders
have it (800.PixelShader_piece_ps.any): ambient light counts by 1 / pi, lamps by 1 / (0.5 + quadratic d^2).
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ami_ros.simulation.gazebo.sdf import EvenLight, linear
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.scene import Beam, scene_of
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
    ambient = float((root.findtext("world/scene/ambient") or "").split()[0]) / math.pi
    lamps = [under(element, 0.0) for element in root.iterfind("world/light")]
    assert len(lamps) == len(beams)
    glows = {
        visual.get("name", "").endswith("_flat"): float((visual.findtext("material/emissive") or "").split()[0])
        for visual in root.iterfind("world/model/link/visual")
        if "panels" in visual.get("name", "")
    }
    for texture in (0.2, 0.5, 0.8):
        for lies, share in ((True, 0.4), (False, 0.8)):
            plain = light.ambient + share * light.frontal
            assert encoded(linear(texture) * (ambient + glows[lies])) == pytest.approx(texture * plain, abs=0.02)
        for lamp, beam in zip(lamps, beams, strict=True):
            ours = min(1.0, texture * (light.ambient + light.frontal / 2 + beam.strength))
            even = linear(light.ambient + light.frontal / 2)
            assert encoded(linear(texture) * (even + lamp)) == pytest.approx(ours, abs=0.02)


def under(lamp: ElementTree.Element, distance: float) -> float:
    """The light of a lamp straight below it [m], or of the sun."""
    light = float((lamp.findtext("diffuse") or "").split()[0])
    if lamp.get("type") == "directional":
        return light
    return light / (0.5 + float(lamp.findtext("attenuation/quadratic") or 0) * distance**2)


def test_a_lamp_falls_off_with_distance_and_angle_as_in_our_simulator(tmp_path: Path) -> None:
    lamp = next(
        ElementTree.parse(write_world(load_world("home"), tmp_path)).getroot().iterfind("world/light[@type='spot']")
    )
    assert under(lamp, 3.0) / under(lamp, 0.0) == pytest.approx(1 / (1 + Beam(0.0).fall * 9))
    assert float(lamp.findtext("spot/falloff") or 0) == Beam(0.0).cone
    assert float(lamp.findtext("spot/inner_angle") or 1) == 0


@pytest.mark.parametrize("ambient", [0.1, 0.45, 0.7, 1.0])
def test_even_light_is_whole_however_bright_although_a_colour_ends_at_one(ambient: float) -> None:
    even = EvenLight.of(ambient, 0.2)
    assert 0.0 <= even.scene <= 1.0 and even.lying >= 0.0
    assert even.scene / math.pi + even.lying == pytest.approx(linear(ambient + 0.4 * 0.2))
    assert even.scene / math.pi + even.standing == pytest.approx(linear(ambient + 0.8 * 0.2))


def test_sky_is_shown_as_it_is_named(tmp_path: Path) -> None:
    world = load_world("home")
    shown = (ElementTree.parse(write_world(world, tmp_path)).getroot().findtext("world/scene/background") or "").split()
    mean = np.array(scene_of(world).surroundings.sky).mean(axis=0)
    assert [encoded(float(v)) for v in shown[:3]] == pytest.approx(mean.tolist(), abs=1e-3)
