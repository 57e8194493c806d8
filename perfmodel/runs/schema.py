"""The columns of a table of measured rows, their meaning and their other names."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table of measured rows."""

    name: str
    kind: str
    """``text`` or ``number``."""
    meaning: str
    unit: str = ""
    aliases: tuple[str, ...] = ()


def _text(name: str, meaning: str, *aliases: str) -> Column:
    return Column(name=name, kind="text", meaning=meaning, aliases=aliases)


def _number(name: str, unit: str, meaning: str, *aliases: str) -> Column:
    return Column(name=name, kind="number", unit=unit, meaning=meaning, aliases=aliases)


COLUMNS: tuple[Column, ...] = (
    _text("gpu", "card, any name that `find_gpu` reads", "device", "gpu_name"),
    _number("n_gpu", "", "number of cards; 1 where absent", "gpus", "num_gpus", "n_gpus"),
    _text("model", "network, any name that the zoo reads", "workload", "network", "model_name"),
    _text("phase", "train or infer; infer where absent", "mode"),
    _text("framework", "such as pytorch"),
    _text("framework_version", "such as 2.4.0+cu124", "version"),
    _text("precision", "any spelling that `canonical_precision` reads", "dtype"),
    _text("layout", "nchw or nhwc", "memory_format"),
    _text("compiled", "eager, torch.compile, XLA"),
    _number("batch", "samples", "global batch, over all cards", "batch_size", "global_batch"),
    _number("image_size", "pixels", "side of a square image", "img_size", "resolution"),
    _number("seq_len", "tokens", "sequence length", "sequence_length"),
    _number("blocks", "", "residual blocks of the CycleGAN generator", "num_layers", "n_blocks"),
    _number("params_M", "million", "parameters of the network", "params_m", "param_count"),
    _number("gmacs", "GMAC", "multiply-adds of one sample's forward pass", "infer_gmacs"),
    _number("macts", "million", "activations of one sample's forward pass", "infer_macts"),
    _number("latency_ms", "ms", "time of one step", "step_ms", "step_time_ms", "time_ms"),
    _number(
        "throughput_per_s", "1/s", "units a second, over all cards", "throughput", "samples_per_s", "samples_per_sec"
    ),
    _text("unit", "what throughput counts: image, sequence, token ..."),
    _number(
        "data_ms",
        "ms",
        "waiting for input, of a whole batch",
        "data_time_ms",
        "load_time_ms",
        "loading_ms",
    ),
    _number("image_ms", "ms", "compute time of one image, waiting for input left out", "time_per_image_ms"),
    _text("timing_def", "what is timed, in words", "timing"),
    _text("data", "where the input comes from, in words"),
    _text("data_pair", "data set, or source and target data set", "dataset", "datasets", "dataset_pair", "data_set"),
    _number("workers", "", "loader processes a card", "num_workers", "n_workers", "loader_workers"),
    _number("host_cores", "", "processor cores of the host", "cpu_cores", "num_cpus", "cpus", "vcpus"),
    _number("epoch", "", "epoch of the row"),
    _number("cold", "", "1 where the row holds loader start-up or warm-up, else 0", "is_cold"),
    _text("file", "file that the row was read from"),
    _number("row", "", "row of that file, counted from 1 below the header"),
    _text("source", "who measured"),
    _text("tier", "core or secondary"),
)
BY_NAME = {column.name: column for column in COLUMNS}
NUMBERS = frozenset(column.name for column in COLUMNS if column.kind == "number")

_NAMES = {alias: c.name for c in COLUMNS for alias in (c.name.lower(), *c.aliases)}


_UNIT = re.compile(r"^(?P<name>.*\S)\s*[(\[]\s*(?P<unit>[^()\[\]]*?)\s*[)\]]$")
_TIME_UNIT = re.compile(
    r"(?P<unit>us|ms|msec|milliseconds?|s|secs?|seconds?|min|minutes?)"
    r"(?:\s*(?:/|per)\s*(?:(?P<image>image|img|sample)|(?P<batch>batch|step|iteration|iter))s?)?"
)
_TO_MS = {"us": 1e-3, "ms": 1.0, "mi": 6e4, "s": 1e3, "se": 1e3}


@dataclass(frozen=True, kw_only=True)
class TimeUnit:
    """Unit of a time: its length in ms, and what the time is of (``image``, ``batch`` or empty where unsaid)."""

    to_ms: float
    per: str = ""


def split_title(title: str) -> tuple[str, str]:
    """Return a title's name in lower case with underscores, and the unit in its brackets (empty without).

    ``Data Time (ms)`` is ``data_time`` and ``ms``.
    """
    found = _UNIT.match(title.strip())
    name, unit = (title, "") if found is None else (found["name"], found["unit"])
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"), unit


def time_unit(text: str) -> TimeUnit | None:
    """Read a unit of time such as ``ms``, ``s`` or ``s/image``; None when it is none."""
    found = _TIME_UNIT.fullmatch(text.strip().lower())
    if found is None:
        return None
    unit = "ms" if found["unit"].startswith("milli") else found["unit"]
    return TimeUnit(to_ms=_TO_MS[unit[:2]], per="image" if found["image"] else "batch" if found["batch"] else "")


def canonical_column(title: str) -> str:
    """Return the schema's name for a column title, or the title itself where the schema has none."""
    return read_title(title)[0]


def read_title(title: str) -> tuple[str, float]:
    """Return the schema's name for a column title and the factor from the title's unit to the schema's.

    ``Latency [s]`` is ``latency_ms`` and 1000. A title that the schema lacks is returned itself.
    """
    own = title.strip()
    plain = _NAMES.get(own.lower().replace(" ", "_").replace("-", "_"))
    if plain is not None:
        return plain, 1.0
    name, unit = split_title(own)
    time = time_unit(unit)
    if time is not None and not time.per:
        found = _NAMES.get(f"{name}_ms", _NAMES.get(name, ""))
        return (found, time.to_ms) if found and BY_NAME[found].unit == "ms" else (own, 1.0)
    found = _NAMES.get(name, "") if unit else ""
    return (found, 1.0) if found and BY_NAME[found].unit.lower() == unit.lower() else (own, 1.0)


def missing_columns(names: frozenset[str] | set[str]) -> list[str]:
    """Return what a table still needs to be predicted and scored, in words; empty when it has all."""
    missing = [] if "gpu" in names else ["gpu"]
    if not names & {"model", "gmacs", "params_M"}:
        missing.append("model (or gmacs, params_M)")
    if not names & {"latency_ms", "throughput_per_s"}:
        missing.append("batch" if "image_ms" in names and "batch" not in names else "latency_ms or throughput_per_s")
    return missing


def missing_time(names: frozenset[str] | set[str]) -> list[str]:
    """Return what a table lacks to hold any measured time, in words; empty when it has one."""
    if names & {"latency_ms", "throughput_per_s", "image_ms", "data_ms"}:
        return []
    return ["of times (latency_ms, throughput_per_s, image_ms or data_ms)"]


def near_columns(name: str) -> list[str]:
    """Return the names of columns that come nearest to a word."""
    from difflib import get_close_matches

    near = get_close_matches(split_title(name)[0], _NAMES, n=4, cutoff=0.6)
    return list(dict.fromkeys(_NAMES[one] for one in near))
