"""What share of the physical bound real kernels reach."""
