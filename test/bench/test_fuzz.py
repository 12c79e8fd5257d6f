"""Broken files are refused in one line or read without a wrong value; what once did harm never does again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from harness.fuzz import Finding, Target, broken, fuzz, targets


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {target.name: target for target in targets(tmp_path_factory.mktemp("fuzz"))}


def test_no_broken_file_does_harm(kinds: dict[str, Target], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in kinds.values():
        kind.read(_written(tmp_path, kind.content))
        for _ in range(12):
            found = fuzz(kind, tmp_path, rng)
            assert found is None, (found.what, found.content)


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "whole.yaml"
    path.write_bytes(content)
    return path


# Files that once hung a reader, ended it with a traceback, or were read wrong: kind -> change of a good one.
HARMFUL: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "aliases that expand": ("world", lambda good: good + b"\nx: &a [1, 1]\ny: &b [*a, *a]\nz: [*b, *b]\n"),
    "a latent of terabytes": (
        "model's configuration",
        lambda good: good.replace(b"latent_dim: 4", b"latent_dim: 999999999999"),
    ),
    "a number of many digits": ("world", lambda good: good + b"\nname: " + b"9" * 5000),
    "a date that is none": ("robot", lambda good: good + b"\nname: 2020-99-99\n"),
    "an infinite wall": ("world", lambda good: good.replace(b"along: 0.6", b"along: .inf", 1)),
    "a world of a thousand kilometres": ("world", lambda good: good.replace(b"size: [4.0, 3.0]", b"size: [1e6, 1e6]")),
    "a memory that is cut off at once": ("memory", lambda good: good[:100]),
    "a texture without a name": ("world", lambda good: good.replace(b"  oak:", b"  1.5:", 1)),
    "a sensor of a list of kinds": ("robot", lambda good: good.replace(b"kind: laser", b"kind: [laser]", 1)),
    "weights without an end": ("model's weights", lambda good: good[:-1]),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_once_did_harm_is_refused(kinds: dict[str, Target], tmp_path: Path, name: str) -> None:
    kind, change = HARMFUL[name]
    content = change(kinds[kind].content)
    assert content != kinds[kind].content
    with pytest.raises(AmiError) as refused:
        kinds[kind].read(_written(tmp_path, content))
    assert str(refused.value).isprintable()


def test_a_reader_that_fails_is_found(tmp_path: Path) -> None:
    def careless(path: Path) -> None:
        int(path.read_bytes())

    found = [fuzz(Target("number", b"12", careless), tmp_path, np.random.default_rng(seed)) for seed in range(20)]
    harm = [finding for finding in found if isinstance(finding, Finding)]
    assert harm and all("ValueError" in finding.what for finding in harm)


def test_a_broken_file_is_another_one_most_of_the_time() -> None:
    content = bytes(range(256)) * 4
    assert sum(broken(content, np.random.default_rng(seed)) != content for seed in range(100)) > 90
