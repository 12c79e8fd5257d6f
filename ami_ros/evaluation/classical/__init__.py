"""A robot without learning: scan matching on an occupancy grid, shortest ways, features with a verified pose."""
