"""Microbenchmarks, shipped profiles and the fit of the shipped prior."""
