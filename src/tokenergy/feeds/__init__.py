"""Live data behind ports: prices, weather, carbon, engines, meters."""
