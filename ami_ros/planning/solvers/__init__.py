"""Searches over sequences of commands, one a file; which of them is used is a matter of configuration."""
