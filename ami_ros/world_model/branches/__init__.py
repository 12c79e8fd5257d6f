"""Branches of the encoder: one sensor -> its features. One a file."""
