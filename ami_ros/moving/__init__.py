"""What moves around the robot: tracks from scans, and where they will be."""
