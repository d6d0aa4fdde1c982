"""What would have happened: policies on a horizon, settled and compared."""
