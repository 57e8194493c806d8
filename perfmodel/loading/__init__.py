"""Data loading: its time model."""
