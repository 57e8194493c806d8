"""The phase vocabulary and the run-log schema."""
