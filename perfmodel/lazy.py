"""Names of a package that are imported when they are first used (PEP 562), so that importing a part stays cheap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def importer(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``.

    Parameters
    ----------
    package : str
        Its name.
    places : mapping of str to str
        Module inside of the package by name; ``module:other`` where the name is another there.
    """

    def __getattr__(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        module, _, other = places[name].partition(":")
        found = getattr(import_module(f"{package}.{module}"), other or name)
        setattr(sys.modules[package], name, found)
        return found

    return __getattr__
