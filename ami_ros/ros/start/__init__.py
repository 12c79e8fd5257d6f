"""The graph of nodes, and how it is started."""
