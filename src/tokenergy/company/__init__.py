"""Nouns: what a company is made of."""
