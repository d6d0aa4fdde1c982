"""Does it pay: full cost beside marginal cost, and the merit order of tokens."""
