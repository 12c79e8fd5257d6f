"""A small data set."""

from harness.smooth_drives import dataset

__all__ = ["dataset"]
