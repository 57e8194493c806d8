"""Operator graphs: what a network computes, captured or shipped as data."""
