"""What memory lets go of: pictures first, old and doubled places next, what has a label never."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.growth import Forgetter, ForgettingConfig
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.queries import recall
from ami_ros.memory.types import PlaceQuery
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER

CELL = (0.3, 0.5)


def live(
    model: ExactModel, path: Path | None, config: ForgettingConfig, poses: np.ndarray, period: float = 1.0,
    most: int = 10_000,
) -> PlaceMap:  # fmt: skip
    """A map that took in all poses (n, 3), each a new place with a picture of 5 kB; the first has a label."""
    places = PlaceMap(model, ENCODER, path, GraphConfig())
    forgetter = Forgetter(places, config, most, CELL)
    picture = np.random.default_rng(0).bytes(5000)
    for k, pose in enumerate(poses):
        here = places.add(k * period, latent_of(pose), pose, picture)
        if k == 0:
            places.label(here, "start", "")
        forgetter.added(here, k * period)
    return places


def line(count: int) -> np.ndarray:
    return np.column_stack([0.4 * np.arange(count), np.zeros(count), np.zeros(count)])


def test_pictures_go_before_places_and_the_oldest_first(model: ExactModel, path: Path) -> None:
    """A hundredth of a day of nothing but new places, within a hundredth of what a day may take."""
    places = live(model, path, ForgettingConfig(size_limit=5.0), line(1500))
    places.store.flush()
    assert len(places) == 1500 and places.store.size() <= 5e6
    assert places.store.thumbnail(1) and not places.store.thumbnail(2) and places.store.thumbnail(1500)
    for pose in line(1500)[::100]:
        found = recall(places, PlaceQuery(latent=latent_of(pose), max_results=1))
        np.testing.assert_allclose(found[0].pose, pose)
    places.store.close()


def test_doubled_places_go_before_others_and_labelled_ones_stay(model: ExactModel, path: Path) -> None:
    doubled = np.concatenate([line(600), line(300) + [0.0, 0.1, 0.1]])
    places = live(model, path, ForgettingConfig(size_limit=0.05, check_every=900), doubled)
    places.store.flush()
    left = set(places.details)
    assert len(left) < 900 and 1 in left and 900 in left
    assert set(range(301, 601)) <= left or not left & set(range(2, 301))
    assert len(places.store.load()[0]) == len(left)
    places.store.close()


def test_what_was_not_passed_for_too_long_is_forgotten(model: ExactModel) -> None:
    config = ForgettingConfig(max_age=0.5, check_every=10)
    places = live(model, None, config, line(100), period=1000.0)
    assert set(places.details) == {1, *range(57, 101)}
    places.store.close()


def test_beyond_the_most_places_those_that_were_not_passed_for_longest_go(model: ExactModel) -> None:
    places = live(model, None, ForgettingConfig(), line(200), most=50)
    left = set(places.details)
    assert places.let_go == 200 - len(left)
    assert 45 <= len(left) <= 50 and left == {1, *range(202 - len(left), 201)}
    places.store.close()


def test_without_pressure_nothing_is_forgotten(model: ExactModel) -> None:
    places = live(model, None, ForgettingConfig(check_every=10), line(100))
    places.store.flush()
    assert len(places) == 100 and len(places.store.picture_sizes()) == 100
    places.store.close()
