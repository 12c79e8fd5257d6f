"""Codes of the planner's results, as in NavigateToGoal."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """10300 and up; 0 is success."""

    NONE = 0
    UNKNOWN = 10300
    INVALID_GOAL = 10301
    GOAL_NOT_REMEMBERED = 10302
    ENCODER_MISMATCH = 10303
    TF_ERROR = 10304
    STALE_OBSERVATION = 10305
    MODEL_FAILURE = 10306
    NO_VALID_PLAN = 10307
    FAILED_TO_MAKE_PROGRESS = 10309
    SURPRISE_EXCEEDED = 10310
    DEADLINE_MISSED = 10312
    TIMEOUT = 10313
    PREEMPTED = 10314
    DEACTIVATED = 10315
    NO_MEMORY = 10316
    UNKNOWN_PLACE = 10317
    EMERGENCY_STOP = 10318
