"""A loopback robot whose latents are exact, and what drives it."""

from harness.percepts import NOTHING, PERIOD, UNHURRIED, model, percept_of, robot_at, room_with_box, scan_of_points

__all__ = ["NOTHING", "PERIOD", "UNHURRIED", "model", "percept_of", "robot_at", "room_with_box", "scan_of_points"]
