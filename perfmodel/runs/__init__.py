"""Measured rows: schema and readers."""
