"""Recordings of a fleet."""

from harness.fleet import fleet_data
from harness.smooth_drives import dataset

__all__ = ["dataset", "fleet_data"]
