"""Layers: one room (file) for each type."""
