"""One reading: counters to differences, joules to whom they are for."""
