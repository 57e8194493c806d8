"""Figures: each function takes a document (a verb's ``--json``) or rows and returns a matplotlib Figure."""
