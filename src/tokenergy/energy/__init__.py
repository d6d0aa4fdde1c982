"""Joules per unit of work: curves, prediction, media, operating points. No IO."""
