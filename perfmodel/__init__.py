"""Predict how long deep learning takes on a GPU, before renting or buying it.

The names of the public API are imported when they are first used, so that ``import perfmodel`` is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfmodel.lazy import importer

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
    "Comparison": "step.compare",
    "FailureError": "errors",
    "Fit": "regression.result",
    "Gpu": "hardware.gpu",
    "Graph": "graph",
    "Host": "hardware.host",
    "InputError": "errors",
    "Interval": "step.prediction",
    "Loader": "loading.loader",
    "LoaderModel": "loading.model",
    "Observation": "efficiency.profile",
    "PerfmodelError": "errors",
    "Prediction": "step.prediction",
    "Profile": "efficiency.profile",
    "Runs": "runs.rows",
    "Validation": "validation.report",
    "capture": "graph.capturing",
    "compare": "step.compare",
    "explain": "step.explain",
    "find_gpu": "hardware.gpu",
    "find_host": "hardware.host",
    "fit": "regression.fitting",
    "fit_residual": "validation.grey_box",
    "gpus": "hardware.gpu",
    "graph_from_totals": "graph.totals",
    "load_fit": "regression.result",
    "load_profile": "efficiency.profile",
    "models": "graph.catalogue:names",
    "predict": "step.predict",
    "read_runs": "runs.rows",
    "validate": "validation.report",
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


_public = importer("perfmodel", _LAZY)


def __getattr__(name: str) -> Any:
    """Import a name of the public API, or a part, when it is first used."""
    from importlib import import_module

    return import_module(f"perfmodel.{name}") if name in _PARTS else _public(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
