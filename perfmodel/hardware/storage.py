"""Where the user's own files live: cards, hosts and profiles."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR_VARIABLE = "PERFMODEL_DATA_DIR"


def user_data_dir() -> Path:
    """Return the user's data directory (not created): ``PERFMODEL_DATA_DIR``, else the platform's own."""
    override = os.environ.get(DATA_DIR_VARIABLE)
    if override:
        return Path(override).expanduser()
    from platformdirs import user_data_path

    return user_data_path("perfmodel", appauthor=False)
