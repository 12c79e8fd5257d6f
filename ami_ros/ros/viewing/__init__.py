"""What runs, in viewers of others: Foxglove and Lichtblick, and Rerun."""
