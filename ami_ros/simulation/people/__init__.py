"""Who moves about in a simulated world: bodies, how they go, and what sensors meet of them."""
