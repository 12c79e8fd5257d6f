"""What parts take on a robot, as they were measured on real nodes; the bus in simulated time charges it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

P95 = 1.6449  # standard deviations above the median


@dataclass(frozen=True)
class Span:
    """A time that varies, as a log-normal distribution."""

    p50: float  # [s]
    p95: float  # [s]

    def __post_init__(self) -> None:
        if not 0 <= self.p50 <= self.p95:
            raise ValueError(f"p50 and p95 of a time must be 0 <= p50 <= p95, found {self.p50} and {self.p95}")

    def draw(self, rng: np.random.Generator) -> float:
        """One of them [s]."""
        if self.p50 == 0:
            return 0.0
        return float(self.p50 * math.exp(rng.standard_normal() * math.log(self.p95 / self.p50) / P95))


NOTHING = Span(0.0, 0.0)


@dataclass(frozen=True)
class Timing:
    """What each part's work costs, and each step between two parts."""

    transport: Span = Span(0.0015, 0.010)  # from one node to another
    perception: Span = Span(0.0045, 0.014)  # encodes a frame
    picture: Span = Span(0.0127, 0.0135)  # makes the code of its picture; of processor time, models/general
    world_model: Span = Span(0.0027, 0.018)  # compares a moment with its prediction
    memory: Span = Span(0.0088, 0.037)  # takes in a moment
    prepare: Span = Span(0.008, 0.020)  # memory, between moments: what the next goal will need
    planner: Span = Span(0.032, 0.043)  # decides, a search of 40 ms at most included
    find_route: Span = Span(0.005, 0.020)  # memory answers
    # The same where pictures are compared: of processor time, three questions in a home of 120 places, models/general.
    find_picture: Span = Span(0.17, 0.20)

    def of(self, name: str) -> Span:
        """Of a part's work or an answer; what is not listed takes no time."""
        found: Span = getattr(self, name, NOTHING)
        return found

    @classmethod
    def none(cls) -> Timing:
        """Nothing takes time."""
        return cls(**dict.fromkeys(cls.__dataclass_fields__, NOTHING))
