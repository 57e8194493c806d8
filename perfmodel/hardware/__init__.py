"""Specifications of GPUs and hosts, and what is in this machine."""
