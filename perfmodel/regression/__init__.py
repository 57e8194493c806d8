"""Regression on tables of measured runs: formulas and presets, guards, cross-validation, grey box."""

from __future__ import annotations
