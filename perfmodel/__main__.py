"""``python -m perfmodel VERB``."""

from __future__ import annotations

from perfmodel.cli import main

if __name__ == "__main__":
    main()
