"""Seeded series of prices, weather and demand: invented here, and always labelled synthetic."""
