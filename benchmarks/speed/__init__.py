"""What the suite costs: speed and memory of its parts, measured by commands."""
