"""The command line: the one place that wires effects to the core."""
