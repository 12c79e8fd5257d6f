"""A simulated robot on the topics of a real one."""
