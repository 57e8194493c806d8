"""Exporting a trained driving network, and checking that what was exported computes the same."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from perfmodel.errors import DependencyError, FailureError, InputError
from perfmodel.workloads.pilotnet.evaluation import load_trained
from perfmodel.workloads.pilotnet.networks import input_size

_TOLERANCE = 1e-4
"""Largest difference of an output in [0, 1]; other kernels round otherwise."""
_BATCHES = (2, 1, 5)
"""Batch that is exported with, and others that are checked too."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written: format, path, size, and the largest difference of its outputs from the network's."""

    format: str
    path: Path
    size_bytes: int
    largest_difference: float


def formats() -> tuple[str, ...]:
    """Formats that can be written here: ``onnx`` needs the packages onnx and onnxscript."""
    return tuple(name for name in WRITERS if name != "onnx" or _has_onnx())


def export(output: str | Path, *, chosen: tuple[str, ...] = (), folder: str | Path | None = None) -> list[Exported]:
    """Export the network of a run's last checkpoint.

    Parameters
    ----------
    output : str or Path
        Folder of the run.
    chosen : tuple of str
        ``pt2`` (torch.export), ``torchscript``, ``onnx``; all that can be written here by default.
    folder : str or Path, optional
        Where to; ``export`` in the run's folder by default.

    Raises
    ------
    InputError
        For an unknown format, or a folder without a run.
    DependencyError
        When ONNX was asked for and a package is missing.
    FailureError
        When an exported program gives other outputs.
    """
    unknown = [name for name in chosen if name not in WRITERS]
    if unknown:
        raise InputError(f"no format {unknown[0]!r} to export", f"there are {', '.join(WRITERS)}")
    if "onnx" in chosen and not _has_onnx():
        raise DependencyError("exporting ONNX needs the packages onnx and onnxscript", "pip install onnx onnxscript")
    run = load_trained(output)
    where = Path(folder or Path(output) / "export")
    where.mkdir(parents=True, exist_ok=True)
    return [export_network(run.network, input_size(run.options.network), name, where) for name in chosen or formats()]


def export_network(network: nn.Module, size: tuple[int, int], name: str, folder: Path) -> Exported:
    """Write one format and check it on several batch sizes."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.rand(batch, 3, *size, generator=generator) for batch in _BATCHES]
    suffix, write = WRITERS[name]
    path = folder / f"model.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each exporter deprecates another
        run = write(network, inputs[0], path)
        with torch.no_grad():
            difference = max(float((run(one) - network(one)).abs().max()) for one in inputs)
    if not difference <= _TOLERANCE:
        path.unlink()
        raise FailureError(f"the network as {name} gives outputs that differ by {difference:.2g}", "report it")
    return Exported(format=name, path=path, size_bytes=path.stat().st_size, largest_difference=difference)


def _write_program(network: nn.Module, example: Tensor, path: Path) -> Callable[[Tensor], Tensor]:
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    module: Any = torch.export.load(path).module()
    return lambda image: module(image)


def _write_torchscript(network: nn.Module, example: Tensor, path: Path) -> Callable[[Tensor], Tensor]:
    jit: Any = torch.jit
    jit.trace(network, example).save(str(path))
    module = jit.load(str(path))
    return lambda image: module(image)


def _write_onnx(network: nn.Module, example: Tensor, path: Path) -> Callable[[Tensor], Tensor]:
    program: Any = torch.onnx.export(
        network, (example,), dynamo=True, external_data=False, verbose=False, input_names=["image"],
        output_names=["outputs"], dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
    )  # fmt: skip
    program.save(str(path))
    return _onnx_runner(path)


def _onnx_runner(path: Path) -> Callable[[Tensor], Tensor]:
    """Run by onnxruntime where it is installed, else by ONNX's own reference."""
    if importlib.util.find_spec("onnxruntime"):
        runtime: Any = importlib.import_module("onnxruntime")
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    else:
        session = importlib.import_module("onnx.reference").ReferenceEvaluator(str(path))
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def _has_onnx() -> bool:
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


WRITERS: Mapping[str, tuple[str, Callable[[nn.Module, Tensor, Path], Callable[[Tensor], Tensor]]]] = {
    "pt2": ("pt2", _write_program),
    "torchscript": ("pt", _write_torchscript),
    "onnx": ("onnx", _write_onnx),
}
"""Suffix of each format, and what writes it and reads it back."""
