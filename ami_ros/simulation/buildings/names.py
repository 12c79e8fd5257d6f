"""Names of buildings, and which of them are for training and which for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ami_ros.errors import AmiError

PREFIX = "building:"
TRAINING_KINDS = ("home", "office", "ward", "school", "warehouse")
HELD_OUT_KINDS = ("gallery", "hotel")  # laid out by other rules than those for training
KINDS = (*TRAINING_KINDS, *HELD_OUT_KINDS)
BARE = "bare"  # as people write worlds by hand; never drawn by a seed alone
OPEN_KINDS = ("hall", "car_park", "atrium")  # wider than many lasers reach; never drawn by a seed alone either
NAMED_KINDS = (*KINDS, BARE, *OPEN_KINDS)
TEST_KINDS = (*HELD_OUT_KINDS, "atrium")
FIRST_TEST_SEED = 100_000
Use = Literal["training", "test"]


@dataclass(frozen=True)
class BuildingName:
    """A building: its kind and its seed."""

    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{PREFIX}{self.kind}:{self.seed}"

    @property
    def use(self) -> Use:
        """What it is for: test if its seed is FIRST_TEST_SEED or more, or its kind one of TEST_KINDS; else training."""
        return "test" if self.seed >= FIRST_TEST_SEED or self.kind in TEST_KINDS else "training"


def is_building(world: str | Path) -> bool:
    """Whether a world is named as a building."""
    return str(world).startswith(PREFIX)


def building_name(text: str) -> BuildingName:
    """`building:SEED` or `building:KIND:SEED`; without a kind the seed draws it, held-out kinds for test seeds alone.

    What a visit adds to a name counts for nothing here. Raises AmiError for anything else.
    """
    text = text.partition("@")[0]
    *kinds, number = text.removeprefix(PREFIX).split(":")
    if not text.startswith(PREFIX) or len(kinds) > 1 or not number.isascii() or not number.isdigit():
        raise AmiError(f"'{text}' names no building: write building:SEED or building:KIND:SEED, as building:ward:7")
    if len(number) > 12:
        raise AmiError(f"'{text}': the seed of a building has at most 12 digits")
    seed = int(number)
    if not kinds:
        known = KINDS if seed >= FIRST_TEST_SEED else TRAINING_KINDS
        return BuildingName(known[int(np.random.default_rng([seed, 1]).integers(len(known)))], seed)
    if kinds[0] not in NAMED_KINDS:
        raise AmiError(f"'{text}': there is no kind of building '{kinds[0]}': known are {', '.join(NAMED_KINDS)}")
    return BuildingName(kinds[0], seed)


def refuse_test_buildings(world: str | Path, what: str) -> None:
    """Raises AmiError if `world` is a building kept for tests, which nothing may be trained on; `what` wants it."""
    if is_building(world) and building_name(str(world)).use == "test":
        kinds = ", ".join(kind for kind in NAMED_KINDS if kind not in TEST_KINDS)
        raise AmiError(
            f"{what}: {world} is a building for tests, and no model may learn from one: "
            f"take a seed below {FIRST_TEST_SEED} and a kind of {kinds}"
        )
