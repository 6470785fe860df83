"""Nouns with dynamics; none inherits from another."""
