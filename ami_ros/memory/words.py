"""Places by words: a CLIP model from a local folder compares a text with their pictures (the extra `text`).

Radford et al. 2021 (arXiv 2103.00020): pictures and texts get vectors whose product says how well they fit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from ami_ros.errors import AmiError
from ami_ros.extras import need
from ami_ros.images import Image, decode_image
from ami_ros.memory.codes import Code
from ami_ros.world_model.perception import fit_image

# What CLIP's pictures were normalised by.
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

Vector = NDArray[np.float32]


class WordModel:
    """A CLIP model and its words. Weights are safetensors only, and nothing is fetched.

    Raises:
        AmiError: the extra is not installed, or the folder holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        transformers = need("transformers", "text")
        if not (folder / "model.safetensors").is_file():
            raise AmiError(
                f"there is no CLIP model in {folder}: it needs config.json, model.safetensors and vocabulary"
            )
        try:
            load = {"local_files_only": True}
            self._model = transformers.CLIPModel.from_pretrained(folder, use_safetensors=True, **load).eval()
            self._tokens = transformers.AutoTokenizer.from_pretrained(folder, **load)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise AmiError(f"the CLIP model in {folder} cannot be used: {error}".splitlines()[0]) from error
        self._size = int(self._model.config.vision_config.image_size)
        self._longest = int(self._model.config.text_config.max_position_embeddings)

    def text(self, words: str) -> Vector:
        """(d,) of unit length."""
        tokens = self._tokens([words], truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            found = self._model.text_model(**tokens).pooler_output
            return _unit(self._model.text_projection(found))

    def picture(self, image: Image) -> Vector:
        """(d,) of unit length, of a picture (H, W, 3) RGB."""
        square = cv2.resize(fit_image(image, min(image.shape[:2])), (self._size,) * 2, interpolation=cv2.INTER_CUBIC)
        pixels = torch.from_numpy(((square / np.float32(255) - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None])
        with torch.inference_mode():
            found = self._model.vision_model(pixel_values=pixels.float()).pooler_output
            return _unit(self._model.visual_projection(found))


class WordIndex:
    """Vectors of places' pictures, made in the background one by one; they are in RAM only.

    Args:
        model: makes them.
        thumbnail: JPEG of a place by id, empty if there is none; called from a thread.
    """

    def __init__(self, model: WordModel, thumbnail: Callable[[int], bytes]) -> None:
        self._model, self._thumbnail = model, thumbnail
        self._vectors: dict[int, Vector | None] = {}  # None: there is no picture to be read
        self._asked: set[int] = set()
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._look, name="words", daemon=True)
        self._thread.start()

    def watch(self, ids: Iterable[int]) -> None:
        """Pictures of these places, and of no others, are to be compared."""
        wanted = set(ids)
        for place_id in wanted - self._asked:
            self._queue.put(place_id)
        for place_id in self._asked - wanted:
            self._vectors.pop(place_id, None)
        self._asked = wanted

    def scores(self, words: str, ids: NDArray[np.int64]) -> Vector:
        """How well the pictures of places (n,) fit, [-1, 1]; NaN where there is none.

        Raises:
            AmiError: many have not been looked at yet (`Code.INVALID_INPUT`).
        """
        if waiting := sum(place_id not in self._vectors for place_id in ids.tolist()):
            raise AmiError(f"memory: {waiting} pictures are still to be looked at; ask again soon", Code.INVALID_INPUT)
        text = self._model.text(words)
        vectors = [self._vectors[place_id] for place_id in ids.tolist()]
        return np.array([np.nan if vector is None else vector @ text for vector in vectors], np.float32)

    def close(self) -> None:
        """Ends the thread."""
        self._asked = set()
        self._queue.put(None)
        self._thread.join()

    def _look(self) -> None:
        while (place_id := self._queue.get()) is not None:
            if place_id in self._asked:
                self._vectors[place_id] = self._vector(place_id)

    def _vector(self, place_id: int) -> Vector | None:
        try:
            jpeg = self._thumbnail(place_id)
            return self._model.picture(decode_image(jpeg)) if jpeg else None
        except AmiError:
            return None


def _unit(vector: torch.Tensor) -> Vector:
    return np.asarray(torch.nn.functional.normalize(vector[0], dim=0).float().numpy())
