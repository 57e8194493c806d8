"""Predict how long deep learning takes on a GPU, before renting or buying it."""

from __future__ import annotations

__version__ = "0.1.0"
