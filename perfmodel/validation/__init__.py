"""Predict measured rows and score the predictions."""
