"""Codes of memory's errors, as the services of ami_interfaces give them."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The codes of FindRoute, then those of other services alone.

    The node translates them by name: the same name has another number in each service.
    """

    UNKNOWN = 10240
    NOT_ACTIVE = 10241
    NOT_LOCALISED = 10242
    NOT_FOUND = 10243
    NO_ROUTE = 10244
    ENCODER_MISMATCH = 10245
    INVALID_INPUT = 10246
    NO_ANSWER = 10247  # said by clients: memory is not there, or did not answer in time
    LABEL_EXISTS = 10204
    WRITE_FAILED = 10207
    FILE_EXISTS = 10286
    NOTHING_IN_COMMON = 10287
    MEMORY_FULL = 10288
    WOULD_FORGET = 10289
