"""Physical time of operators."""
