"""One window: what to do, what a token costs, and why."""
