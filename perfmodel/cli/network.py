"""The network that a command line names: a shipped one, totals, or a function that builds one's own."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perfmodel.errors import DependencyError, InputError, UnknownModelError

if TYPE_CHECKING:
    from perfmodel.graph.graph import Graph

_PREFIXES = ("timm:", "torchvision:", "zoo:", "tv:")
_TOTALS = {"params": "params_M", "gmacs": "gmacs", "macts": "macts", "size": "image_size"}
_TOTALS_FORM = "write params=25.6,gmacs=4.1,macts=11.1 (millions, 10^9, millions; of one sample)"


def choose_model(values: Mapping[str, Any]) -> str | Graph:
    """Return the network that ``--workload``, ``--model`` or ``--totals`` names; cyclegan where none is given.

    Raises
    ------
    InputError
        When two are given, or what is given cannot be understood, imported or captured.
    """
    given = [name for name in ("workload", "model", "totals") if values[name] is not None]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} exclude each other", "give one of them")
    if values["totals"] is not None:
        return totals_model(values["totals"])
    if values["model"] is not None:
        return load_model(values["model"], values["mode"])
    return values["workload"] or "cyclegan"


def load_model(text: str, mode: str) -> str | Graph:
    """Read ``--model``: a zoo name, ``timm:NAME``, or ``package.module:function`` that builds a module and inputs."""
    if ":" not in text or text.lower().startswith(_PREFIXES):
        return text
    module, _, function = text.partition(":")
    build = _imported(text, module, function)
    _require_torch(text)
    return _captured(text, build, mode)


def _imported(text: str, module: str, function: str) -> Any:
    """Return a function of a module that is importable from the current folder."""
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise UnknownModelError(f"--model {text} is no package.module:function", "write my_package.my_module:build")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if missing == "torch":
            raise _no_torch(text) from None
        remedy = "give package.module:function, importable from here"
        raise UnknownModelError(f"--model {text}: there is no module {missing!r}", remedy) from None
    except AttributeError:
        reason = f"--model {text}: module {module} has no {function!r}"
        raise UnknownModelError(reason, "name a function that builds the network") from None
    except Exception as error:
        reason = f"--model {text} cannot be imported: {type(error).__name__}: {error}"
        raise UnknownModelError(reason, "correct that module") from None
    if not callable(found):
        raise UnknownModelError(f"--model {text} is no function", "name a function that builds the network")
    return found


def _require_torch(text: str) -> None:
    try:
        importlib.import_module("torch")
    except ImportError:
        raise _no_torch(text) from None


def _no_torch(text: str) -> DependencyError:
    return DependencyError(f"--model {text} needs torch, which is not installed", "pip install 'perfmodel[torch]'")


def _captured(text: str, build: Any, mode: str) -> Graph:
    """Call the function and capture what it returns."""
    from perfmodel.graph.capturing import capture

    form = "return (module, input, ...) with inputs of a batch"
    try:
        built = build()
    except Exception as error:
        raise InputError(f"--model {text} failed: {type(error).__name__}: {error}", "correct that function") from None
    if not isinstance(built, tuple | list) or len(built) < 2:
        raise InputError(f"--model {text} returned no inputs", form)
    torch = importlib.import_module("torch")
    if not isinstance(built[0], torch.nn.Module):
        raise InputError(f"--model {text} returned a {type(built[0]).__name__} instead of a module", form)
    try:
        return capture(built[0], *built[1:], mode=mode)
    except Exception as error:
        reason = f"--model {text} cannot be captured: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise InputError(reason, "check that the module accepts those inputs") from None


def totals_model(text: str) -> Graph:
    """Build a graph from ``params=25.6,gmacs=4.1,macts=11.1`` (millions, 10^9, millions; of one sample)."""
    from perfmodel.graph.totals import graph_from_totals

    values: dict[str, Any] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in _TOTALS:
            raise InputError(f"--totals has no {name!r}", _TOTALS_FORM)
        values[_TOTALS[name]] = _positive(name, number)
    for needed in ("params", "gmacs"):
        if _TOTALS[needed] not in values:
            raise InputError(f"--totals lacks {needed}", _TOTALS_FORM)
    if "image_size" in values:
        values["image_size"] = int(values["image_size"])
    return graph_from_totals(**values)


def _positive(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"--totals {name} must be a positive number, not {text!r}", _TOTALS_FORM)
    return number
