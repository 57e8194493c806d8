"""Driving data sets: where real ones come from and how they lie, and a generator of scenes for work offline."""
