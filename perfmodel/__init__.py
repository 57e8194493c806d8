"""Predict how long deep learning takes on a GPU, before renting or buying it.

The names of the public API are imported when they are first used, so that ``import perfmodel`` is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfmodel.efficiency.profile import Observation as Observation
    from perfmodel.efficiency.profile import Profile as Profile
    from perfmodel.efficiency.profile import load_profile as load_profile
    from perfmodel.errors import FailureError as FailureError
    from perfmodel.errors import InputError as InputError
    from perfmodel.errors import PerfmodelError as PerfmodelError
    from perfmodel.graph import Graph as Graph
    from perfmodel.graph.capturing import capture as capture
    from perfmodel.graph.catalogue import names as models
    from perfmodel.graph.totals import graph_from_totals as graph_from_totals
    from perfmodel.hardware.gpu import Gpu as Gpu
    from perfmodel.hardware.gpu import find_gpu as find_gpu
    from perfmodel.hardware.gpu import gpus as gpus
    from perfmodel.hardware.host import Host as Host
    from perfmodel.hardware.host import find_host as find_host
    from perfmodel.loading.loader import Loader as Loader
    from perfmodel.loading.model import LoaderModel as LoaderModel
    from perfmodel.regression.fitting import fit as fit
    from perfmodel.regression.result import Fit as Fit
    from perfmodel.regression.result import load_fit as load_fit
    from perfmodel.runs.rows import Runs as Runs
    from perfmodel.runs.rows import read_runs as read_runs
    from perfmodel.step.compare import Comparison as Comparison
    from perfmodel.step.compare import compare as compare
    from perfmodel.step.explain import explain as explain
    from perfmodel.step.predict import predict as predict
    from perfmodel.step.prediction import Interval as Interval
    from perfmodel.step.prediction import Prediction as Prediction
    from perfmodel.validation.grey_box import fit_residual as fit_residual
    from perfmodel.validation.report import Validation as Validation
    from perfmodel.validation.report import validate as validate

__version__ = "0.1.0"

_LAZY = {
    "Comparison": "perfmodel.step.compare",
    "FailureError": "perfmodel.errors",
    "Fit": "perfmodel.regression.result",
    "Gpu": "perfmodel.hardware.gpu",
    "Graph": "perfmodel.graph",
    "Host": "perfmodel.hardware.host",
    "InputError": "perfmodel.errors",
    "Interval": "perfmodel.step.prediction",
    "Loader": "perfmodel.loading.loader",
    "LoaderModel": "perfmodel.loading.model",
    "Observation": "perfmodel.efficiency.profile",
    "PerfmodelError": "perfmodel.errors",
    "Prediction": "perfmodel.step.prediction",
    "Profile": "perfmodel.efficiency.profile",
    "Runs": "perfmodel.runs.rows",
    "Validation": "perfmodel.validation.report",
    "capture": "perfmodel.graph.capturing",
    "compare": "perfmodel.step.compare",
    "explain": "perfmodel.step.explain",
    "find_gpu": "perfmodel.hardware.gpu",
    "find_host": "perfmodel.hardware.host",
    "fit": "perfmodel.regression.fitting",
    "fit_residual": "perfmodel.validation.grey_box",
    "gpus": "perfmodel.hardware.gpu",
    "graph_from_totals": "perfmodel.graph.totals",
    "load_fit": "perfmodel.regression.result",
    "load_profile": "perfmodel.efficiency.profile",
    "models": "perfmodel.graph.catalogue:names",
    "predict": "perfmodel.step.predict",
    "read_runs": "perfmodel.runs.rows",
    "validate": "perfmodel.validation.report",
}
_PARTS = frozenset({"errors", "graph", "hardware", "instrument", "loading", "report", "runs"})

__all__ = [
    "Comparison",
    "FailureError",
    "Fit",
    "Gpu",
    "Graph",
    "Host",
    "InputError",
    "Interval",
    "Loader",
    "LoaderModel",
    "Observation",
    "PerfmodelError",
    "Prediction",
    "Profile",
    "Runs",
    "Validation",
    "__version__",
    "capture",
    "compare",
    "explain",
    "find_gpu",
    "find_host",
    "fit",
    "fit_residual",
    "gpus",
    "graph_from_totals",
    "load_fit",
    "load_profile",
    "models",
    "predict",
    "read_runs",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Import a name of the public API when it is first used."""
    from importlib import import_module

    if name in _PARTS:
        return import_module(f"perfmodel.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module 'perfmodel' has no attribute {name!r}")
    module, _, other = _LAZY[name].partition(":")
    found = getattr(import_module(module), other or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
