"""Places by words, with a tiny CLIP model of random weights that the test itself saves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code
from ami_ros.memory.types import PlaceQuery
from ami_ros.memory.words import WordIndex, WordModel
from harness.exact_model import latent_of
from harness.waiting import wait_until

from .conftest import Opener

COLOURS = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255)}


def jpeg(colour: tuple[int, int, int]) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((48, 64, 3), colour[::-1], np.uint8))[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    out = tmp_path_factory.mktemp("clip")
    letters = [chr(c) for c in range(97, 123)]
    vocabulary = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = {"vocab_size": 54, "max_position_embeddings": 16, "bos_token_id": 52, "eos_token_id": 53}
    config = transformers.CLIPConfig(
        text_config=size | words, vision_config=size | {"image_size": 32, "patch_size": 8}, projection_dim=8
    )
    transformers.set_seed(0)
    transformers.CLIPModel(config).save_pretrained(out)
    (out / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(vocabulary)}))
    (out / "merges.txt").write_text("#version: 0.2\n")
    (out / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return out


@pytest.fixture
def index(folder: Path) -> Iterator[WordIndex]:
    pictures = {i: jpeg(colour) for i, colour in COLOURS.items()} | {5: b"broken"}
    index = WordIndex(WordModel(folder), lambda i: pictures.get(i, b""))
    yield index
    index.close()


def test_words_and_pictures_get_unit_vectors_that_differ(folder: Path) -> None:
    model = WordModel(folder)
    red, green = model.text("red door"), model.text("green door")
    assert red.shape == (8,) and np.linalg.norm(red) == pytest.approx(1.0) and not np.allclose(red, green)
    image = np.full((48, 64, 3), 200, np.uint8)
    assert np.linalg.norm(model.picture(image)) == pytest.approx(1.0)
    model.text("a text that is far longer than this model can read " * 20)


def test_every_picture_is_compared_once_it_was_looked_at(index: WordIndex, folder: Path) -> None:
    ids, model = np.array([1, 2, 3, 4, 5]), WordModel(folder)
    index.watch(ids.tolist())

    def scores() -> np.ndarray | None:
        try:
            return index.scores("red door", ids)
        except AmiError as error:
            assert error.code == Code.INVALID_INPUT and "looked at" in str(error)
            return None

    wait_until(lambda: scores() is not None)
    found = index.scores("red door", ids)
    assert np.isnan(found[3:]).all()  # no picture, and a broken one
    for place, score in zip((1, 2, 3), found, strict=False):
        image = np.full((48, 64, 3), COLOURS[place], np.uint8)
        assert score == pytest.approx(model.text("red door") @ model.picture(image), abs=0.1)  # JPEG
    index.watch([2])
    with pytest.raises(AmiError):
        index.scores("red door", ids)


def test_a_recall_ranks_by_words(open_memory: Opener, index: WordIndex) -> None:
    memory = open_memory()
    for place in (1, 2, 3, 4):
        pose = np.array([place, 0.0, 0.0])
        memory.map.add(float(place), latent_of(pose), pose, None)
    with pytest.raises(AmiError, match="text_model"):
        memory.recall(PlaceQuery(text="red door"))
    memory.words = index
    index.watch([1, 2, 3, 4])

    def ranked() -> list[int]:
        try:
            return [place.id for place in memory.recall(PlaceQuery(text="red door"))]
        except AmiError:
            return []

    wait_until(lambda: len(ranked()) == 3)
    scores = index.scores("red door", np.array([1, 2, 3]))
    assert ranked() == [int(i) + 1 for i in np.argsort(-scores)]
    best = memory.recall(PlaceQuery(text="red door", pose=np.array([1.0, 0.0, 0.0]), radius=0.5))
    assert [place.id for place in best] == [1] and best[0].similarity == pytest.approx(scores[0], abs=1e-5)
    with pytest.raises(AmiError, match="one of"):
        memory.recall(PlaceQuery(text="red door", latent=latent_of([1.0, 0.0, 0.0])))


def test_a_missing_extra_and_a_missing_model_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(AmiError, match="no CLIP model in"):
        WordModel(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(AmiError, match="cannot be used"):
        WordModel(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AmiError, match=r"requirements/text\.txt"):
        WordModel(tmp_path)
