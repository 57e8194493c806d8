"""Workloads the project grew from, as torch modules."""
