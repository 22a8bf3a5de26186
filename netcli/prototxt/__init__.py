"""Prototxt files: schema, text with its lines, upgrade of old forms."""
