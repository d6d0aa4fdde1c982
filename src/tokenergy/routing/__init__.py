"""One request: its actions, their scores, and the one that is chosen."""
