"""Codes of missions, as in RunMission."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """10321 and up; 0 is success. Those of single goals are the planner's."""

    NONE = 0
    INVALID_MISSION = 10321
    GOALS_MISSED = 10322
    TIMEOUT = 10323
    PREEMPTED = 10324
    DEACTIVATED = 10325
    NOTHING_TO_RESUME = 10326
    PLANNER_GONE = 10327
    TAKEN_OVER = 10328
    NOT_LOCALISED = 10329
    BAD_FILE = 10330
    CANCELED = 10331
    EMERGENCY_STOP = 10332
