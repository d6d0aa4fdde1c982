"""The essay's claims as fourteen experiments, with the answer that the numbers give."""
