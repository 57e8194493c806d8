"""The variables that a formula may name: what each means, its unit, its other names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from perfmodel.errors import InputError

Level = Literal["time", "gpu", "network", "row", "label"]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of a measured row.

    Attributes
    ----------
    name : str
    label : str
        In words, such as ``memory bandwidth``.
    unit : str
        Empty for counts.
    level : str
        What it describes: ``time`` (measured), ``gpu`` (joined from the card's specification, so that it is known no
        better than the number of different cards), ``network``, ``row``, or ``label`` (text that says where a row is
        from).
    text : bool
        Words instead of numbers: a factor in a formula.
    one : str
        One unit of it in words, such as ``block``.
    aliases : tuple of str
        Other names in formulas and in tables.
    """

    name: str
    label: str
    unit: str = ""
    level: Level = "row"
    text: bool = False
    one: str = ""
    aliases: tuple[str, ...] = ()


def _time(name: str, label: str, *aliases: str) -> Variable:
    return Variable(name=name, label=label, unit="ms", level="time", aliases=aliases)


def _card(name: str, label: str, unit: str, *aliases: str) -> Variable:
    return Variable(name=name, label=label, unit=unit, level="gpu", one=unit or label[:-1], aliases=aliases)


def _network(name: str, label: str, unit: str, one: str, *aliases: str) -> Variable:
    return Variable(name=name, label=label, unit=unit, level="network", one=one, aliases=aliases)


def _count(name: str, label: str, one: str, *aliases: str) -> Variable:
    return Variable(name=name, label=label, one=one, aliases=aliases)


def _word(name: str, label: str, *aliases: str, level: Level = "row") -> Variable:
    return Variable(name=name, label=label, text=True, level=level, aliases=aliases)


VARIABLES: tuple[Variable, ...] = (
    _time("step_ms", "time of a step", "latency_ms", "step_time_ms", "time_ms", "step_time"),
    _time("data_ms", "data-loading time of a batch", "data_time_ms", "load_ms", "loading_ms"),
    _time("image_ms", "compute time of an image", "time_per_image_ms"),
    _card("cores", "CUDA cores", "", "cuda_cores"),
    _card("sms", "multiprocessors", "", "sm", "multiprocessors"),
    _card("clock_ghz", "boost clock", "GHz", "clock", "boost_ghz"),
    _card("flops", "peak at the row's precision", "TFLOP/s", "tflops", "peak_tflops", "peak_flops"),
    _card("fp32_tflops", "fp32 peak", "TFLOP/s", "fp32_flops"),
    _card("bandwidth", "memory bandwidth", "GB/s", "bandwidth_gbs", "memory_bandwidth", "gpu_memory_bandwidth"),
    _card("l2_mb", "L2 cache", "MB", "l2"),
    _card("tdp_w", "power limit", "W", "tdp", "power_w"),
    _card("memory_gb", "device memory", "GB", "memory", "vram_gb"),
    _network("blocks", "residual blocks", "", "block", "n_blocks", "num_layers"),
    _network("image_size", "image size", "pixels", "pixel", "img_size", "resolution"),
    _network("seq_len", "sequence length", "tokens", "token", "sequence_length"),
    _network("params_M", "parameters", "million", "million parameters", "params", "params_m"),
    _network("gmacs", "multiply-adds of a sample", "GMAC", "GMAC"),
    _network("macts", "activations of a sample", "million", "million activations"),
    Variable(name="gflop_step", label="work of a step", unit="GFLOP", level="network", one="GFLOP"),
    _count("batch", "global batch", "sample", "batch_size", "global_batch"),
    _count("n_gpu", "cards", "card", "gpus", "num_gpus", "n_gpus"),
    _count("workers", "loader workers", "worker", "num_workers"),
    _count("host_cores", "host cores", "core", "cpu_cores"),
    _count("epoch", "epoch", "epoch"),
    _count("cold", "cold row", "cold row"),
    _word("gpu", "card", "device", level="gpu"),
    _word("gpu_text", "card in the table's words", level="gpu"),
    _word("arch", "generation of the card", "generation", level="gpu"),
    _word("model", "network", "network", "workload", level="network"),
    _word("family", "family of networks", level="network"),
    _word("phase", "phase", "mode"),
    _word("precision", "precision", "dtype"),
    _word("data_pair", "data pair", "dataset", "data_sets", "pair"),
    _word("source", "source", level="label"),
    _word("framework", "framework"),
    _word("file", "file", level="label"),
)
BY_NAME = {variable.name: variable for variable in VARIABLES}
#: What this package makes of measured rows itself: the response of the grey box.
_MADE = {
    "measured_over_physical": Variable(
        name="measured_over_physical", label="measured over physically predicted time", level="time"
    )
}
_NAMES = {alias.lower(): v.name for v in VARIABLES for alias in (v.name, *v.aliases)}


def canonical_variable(name: str) -> str:
    """Return a variable's own name for any of its names; a name that is none is returned as it is."""
    return _NAMES.get(name.strip().lower().replace("-", "_").replace(" ", "_"), name)


def describe(name: str) -> Variable:
    """Return what a name means; a table's own column describes itself."""
    return BY_NAME.get(name) or _MADE.get(name) or Variable(name=name, label=name, one=f"unit of {name}")


def resolve_variable(name: str, known: Iterable[str]) -> str:
    """Return the variable a name means.

    Parameters
    ----------
    name : str
    known : iterable of str
        Names of the columns there are.

    Raises
    ------
    InputError
        When there is none, with the nearest names and the list.
    """
    columns = list(known)
    found = name if name in columns else canonical_variable(name)
    if found in columns:
        return found
    near = get_close_matches(found.lower(), [*_NAMES, *(c.lower() for c in columns)], n=3, cutoff=0.6)
    listed = dict.fromkeys(_NAMES.get(each, each) for each in near)
    hint = f"near names: {', '.join(listed)}; " if listed else ""
    raise InputError(f"unknown variable {name!r}", f"{hint}variables: {', '.join(columns)}")
