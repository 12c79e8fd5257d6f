"""Memories of many robots in one data set (the extra `lance`)."""

PARTS = ("export", "import")
