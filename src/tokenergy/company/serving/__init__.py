"""What the gateway's processes know, keep and ask of each other: plain nouns without a world."""
