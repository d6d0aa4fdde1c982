"""What to build and what to sign, at the least full cost of a token."""
