"""A memory for another encoder: places keep ids, names, poses and ways, and get new latents from their pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.images import decode_image
from ami_ros.places.database import meta_of
from ami_ros.places.replacing import written_beside
from ami_ros.places.rows import PlaceRow
from ami_ros.places.store import Store
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.perception import Perception

BATCH = 200  # places written at once


@dataclass(frozen=True)
class Reencoded:
    """What came of it."""

    places: int  # that have a new latent
    without_picture: int  # places that are left out, since they have no picture ...
    unreadable: int  # ... or one that cannot be read
    ways: int
    ways_lost: int  # that began or ended at a place that is left out


def reencode(source: Path, loaded: LoadedModel, out: Path, progress: Callable[[int, int], None]) -> Reencoded:
    """Writes a memory for the encoder of `loaded` to `out`, a new file; `source` stays as it is.

    Latents are those of goal pictures: they owe nothing to the scan, and are a little less exact.

    Raises:
        AmiError: `source` is no memory or is of this encoder already; `out` is there, or cannot be written.
    """
    encoder_id, latent_dim = meta_of(source)
    if encoder_id == loaded.encoder_id:
        raise AmiError(f"the memory {source} is of the encoder {encoder_id} already")
    if out.exists():
        raise AmiError(f"{out} exists already; name another file, or remove it")
    old = Store(source, encoder_id, latent_dim, read_only=True)
    try:
        with written_beside(out) as scratch:
            new = Store(scratch, loaded.encoder_id, loaded.model.spec.latent_dim)
            try:
                return _reencode(old, new, Perception(loaded.model), progress)
            finally:
                new.close()
    except OSError as error:
        raise AmiError(f"the memory {out} cannot be written: {error.strerror or error}") from error
    finally:
        old.close()


def _reencode(old: Store, new: Store, perception: Perception, progress: Callable[[int, int], None]) -> Reencoded:
    places, edges = old.load()
    kept: set[int] = set()
    without = unreadable = 0
    made: list[PlaceRow] = []
    for k, place in enumerate(places):
        picture = old.thumbnail(place.id)
        try:
            if picture:
                latent = perception.encode_goal(decode_image(picture))
                experience = old.experience([place.id]).get(place.id)
                made.append(replace(place, latent=latent, thumbnail=picture, experience=experience))
                kept.add(place.id)
            else:
                without += 1
        except AmiError:
            unreadable += 1
        if len(made) == BATCH or k + 1 == len(places):
            new.put_places(made)
            new.flush()
            made = []
        progress(k + 1, len(places))
    ways = [edge for edge in edges if edge.start in kept and edge.stop in kept]
    new.put_edges(ways)
    new.flush()
    return Reencoded(len(kept), without, unreadable, len(ways), len(edges) - len(ways))
