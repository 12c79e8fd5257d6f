"""How the robot looks once around."""

from __future__ import annotations

TURNS = 3  # legs of one look around: each a turn that is not far enough for the other way to be shorter
AHEAD = 0.7  # [rad] before the end of a leg at which the next begins, so that the robot does not stop between them
