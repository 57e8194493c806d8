"""Reports: figures of predictions, comparisons, fits and validations."""
