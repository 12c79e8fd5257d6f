"""Searches over sequences of commands, one per file, chosen by configuration."""
