"""The columns of a table of measured rows, their meaning and their other names."""

from __future__ import annotations

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
    _text("timing_def", "what is timed, in words", "timing"),
    _text("data", "where the input comes from, in words"),
    _text("source", "who measured"),
    _text("tier", "core or secondary"),
)
BY_NAME = {column.name: column for column in COLUMNS}
NUMBERS = frozenset(column.name for column in COLUMNS if column.kind == "number")

_NAMES = {alias: c.name for c in COLUMNS for alias in (c.name.lower(), *c.aliases)}


def canonical_column(title: str) -> str:
    """Return the schema's name for a column title, or the title itself where the schema has none."""
    return _NAMES.get(title.strip().lower().replace(" ", "_").replace("-", "_"), title.strip())


def missing_columns(names: frozenset[str] | set[str]) -> list[str]:
    """Return what a table still needs to be predicted and scored, in words; empty when it has all."""
    missing = [] if "gpu" in names else ["gpu"]
    if not names & {"model", "gmacs", "params_M"}:
        missing.append("model (or gmacs, params_M)")
    if not names & {"latency_ms", "throughput_per_s"}:
        missing.append("latency_ms or throughput_per_s")
    return missing
