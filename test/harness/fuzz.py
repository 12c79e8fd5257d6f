"""Files that somebody broke, or made to do harm: each is refused in one line, or read; and nothing read is wrong."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.behaviour.task import Destination
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.errors import AmiError
from ami_ros.core.images import decode_image, encode_jpeg, encode_png
from ami_ros.core.installation import packaged
from ami_ros.core.robots.description import load_robot, robot_file
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, PlaceRow
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.extract import extract
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import CONFIG, WEIGHTS, WorldModel, load_model, save_model

SLOW = 20.0  # [s] of CPU time after which reading a small file counts as hanging
ENCODER, DIM, COUNT = "net@0123", 8, 60
# What a text may hold in place of a number or a word.
HOSTILE = (
    b"1e999 -1e999 .nan NaN -1 0 99999999999999999999 1e308 [] {} null '' true &a [*a] !!python/name:os.system "
    b"../../etc/passwd \x00 \xff <script> 2020-99-99 [[[[[[[[ 0x7fffffffffffffff"
).split()


@dataclass(frozen=True)
class Target:
    """A kind of file: what a good one holds, and what reads it (raises AmiError, or AssertionError if it is wrong)."""

    name: str
    content: bytes
    read: Callable[[Path], object]


@dataclass(frozen=True)
class Finding:
    """A file that did harm."""

    target: str
    what: str  # a traceback, or how long it took
    content: bytes


def targets(folder: Path) -> list[Target]:
    """All kinds, made in `folder`."""
    torch.manual_seed(0)
    model = folder / "model"
    save_model(
        model, "fuzz", WorldModel(ModelSpec(InputSpec(image_size=16, scan_beams=8), latent_dim=4, encoder_width=16))
    )
    picture = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return [
        Target("memory", _memory(folder / "whole.memory"), _read_memory),
        Target("world", packaged("worlds")["two_rooms"].read_bytes(), load_world),
        Target("robot", robot_file("ami_bot").read_bytes(), lambda path: load_robot(str(path))),
        Target("model's configuration", (model / CONFIG).read_bytes(), _model_reader(model, CONFIG)),
        Target("model's weights", (model / WEIGHTS).read_bytes(), _model_reader(model, WEIGHTS)),
        Target("mission", _mission(folder / "mission"), lambda path: MissionFile(path).load(ExplorationConfig())),
        *_bag_targets(folder / "bag"),
        Target("png", encode_png(picture), lambda path: decode_image(path.read_bytes())),
        Target("jpeg", encode_jpeg(picture), lambda path: decode_image(path.read_bytes())),
    ]


def fuzz(target: Target, folder: Path, rng: np.random.Generator) -> Finding | None:
    """Breaks one file and reads it; what went wrong, if anything."""
    content, path = broken(target.content, rng), folder / "broken.yaml"
    for remains in folder.glob("broken.yaml*"):
        remains.unlink()
    path.write_bytes(content)
    began = time.process_time()
    try:
        target.read(path)
    except AmiError:
        pass
    except Exception:
        return Finding(target.name, traceback.format_exc(), content)
    took = time.process_time() - began
    return Finding(target.name, f"took {took:.0f} s", content) if took > SLOW else None


def broken(content: bytes, rng: np.random.Generator) -> bytes:
    """`content` after one to three changes."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        _CHANGES[int(rng.integers(len(_CHANGES)))](data, rng)
    return bytes(data)


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    if data:
        bit = int(rng.integers(len(data) * 8))
        data[bit // 8] ^= 1 << bit % 8


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data) + 1)) :]


def _noise(data: bytearray, rng: np.random.Generator) -> None:
    start, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 64))
    data[start : start + length] = rng.bytes(length)


def _double(data: bytearray, rng: np.random.Generator) -> None:
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    data[start:start] = data[start : min(stop, start + 10_000)]


def _token(data: bytearray, rng: np.random.Generator) -> None:
    """Another value, where the content is a text."""
    words = list(re.finditer(rb"[-\w.']+", data[:100_000]))
    if words:
        word = words[int(rng.integers(len(words)))]
        data[word.start() : word.end()] = HOSTILE[int(rng.integers(len(HOSTILE)))]


_CHANGES = (_flip, _flip, _cut, _noise, _double, _token, _token)


def _place(number: int) -> PlaceRow:
    rng = np.random.default_rng(number)
    latent = rng.normal(size=DIM).astype(np.float32)
    return PlaceRow(number, latent, rng.normal(size=3), 1.0, 2.0, number, f"place {number}", thumbnail=rng.bytes(100))


def _memory(path: Path) -> bytes:
    store = Store(path, ENCODER, DIM)
    store.put_places(_place(i) for i in range(1, COUNT))
    store.put_edges(Edge(i, i + 1, np.ones(3)) for i in range(1, COUNT - 1))
    store.close()
    return path.read_bytes()


def _read_memory(path: Path) -> None:
    store = Store(path, ENCODER, DIM, read_only=True)
    try:
        places, ways = store.load()
        for found in places:
            given = _place(found.id)
            assert (found.latent == given.latent).all() and (found.pose == given.pose).all(), found
            assert (found.label, found.visits) == (given.label, given.visits), found
            assert store.thumbnail(found.id) in (b"", given.thumbnail), found
        assert all(way.stop == way.start + 1 and (way.relative == 1.0).all() for way in ways), ways
        assert len(places) == COUNT - 1 or store.notice, "rows are missing, and nothing was said"
    finally:
        store.close()


def _mission(path: Path) -> bytes:
    goals = (Destination("pose", pose=(1.0, 2.0, 0.5)), Destination("place", place_id=7, place_label="desk"))
    MissionFile(path).save(Mission(MissionPlan(goals)))
    return path.read_bytes()


def _bag_targets(bag: Path) -> list[Target]:
    """The two files of a short bag; whoever reads one has the other whole."""
    rng = np.random.default_rng(0)
    with BagWriter(bag) as out:
        for row in range(30):
            stamp = 0.2 * row
            out.image("image/compressed", stamp, encode_jpeg(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)))
            out.odometry("odom", stamp, [0.1 * row, 0.0, 0.0], (0.5, 0.0))
            out.command("cmd_vel", stamp, 0.5, 0.0)
    names = {"bag": next(bag.glob("*.mcap")).name, "bag's metadata": "metadata.yaml"}
    return [Target(kind, (bag / name).read_bytes(), _bag_reader(bag, name)) for kind, name in names.items()]


def _bag_reader(bag: Path, name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            copy = Path(folder) / "bag"
            shutil.copytree(bag, copy)
            shutil.copyfile(path, copy / name)
            data = extract([copy], Path(folder) / "data")
            data.verify()
            assert np.isfinite(data.odometry).all() and np.isfinite(data.command).all(), "numbers that are none"
            return data.card

    return read


def _model_reader(model: Path, name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        copy = path.with_name("broken_model")
        shutil.copytree(model, copy, dirs_exist_ok=True)
        shutil.copyfile(path, copy / name)
        return load_model(copy)

    return read
