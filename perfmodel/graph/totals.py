"""A graph for a network of which only totals are known.

The captured network that is nearest in parameters, multiply-adds and activations is stretched until it has the wanted
totals: positions (pixels or tokens) by ``alpha``, channels by ``beta``, and how often operators run by ``gamma``. A
dense product then grows as ``alpha beta^2``, its output as ``alpha beta``, its weights as ``beta^2``. For a near
network all three are close to 1, so that launches, bytes and small kernels stay those of a real network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from math import exp, log

import numpy as np

from perfmodel.errors import InputError
from perfmodel.graph.catalogue import DATA, load, squeeze
from perfmodel.graph.graph import Graph
from perfmodel.graph.operators import PHASE_CODE, Array
from perfmodel.graph.records import NUMERIC
from perfmodel.graph.table import OperatorTable

TEMPLATES = "templates.json"
_NAME_BONUS = 2.0
_ITERATIONS = 40


@dataclass(frozen=True)
class Stretch:
    """How a template is stretched: positions, channels, repeats."""

    alpha: float
    beta: float
    gamma: float


@cache
def _templates() -> tuple[tuple[str, ...], Array]:
    """Names and logarithms of (parameters in millions, GMAC, million activations) of all templates."""
    rows: dict[str, list[float]] = json.loads((DATA / TEMPLATES).read_text())
    return tuple(rows), np.log(np.array([row[:3] for row in rows.values()], float))


@cache
def _template_sizes() -> dict[str, int]:
    rows: dict[str, list[float]] = json.loads((DATA / TEMPLATES).read_text())
    return {name: int(row[3]) for name, row in rows.items()}


def _name_bonus(name: str | None, names: tuple[str, ...]) -> Array:
    """Less distance for templates whose name begins alike."""
    if not name:
        return np.zeros(len(names))
    wanted = squeeze(name)
    shares = []
    for other in names:
        alike = 0
        for a, b in zip(wanted, squeeze(other), strict=False):
            if a != b:
                break
            alike += 1
        shares.append(alike / max(len(wanted), 1))
    return _NAME_BONUS * np.array(shares)


def nearest_template(
    params_m: float,
    gmacs: float,
    macts: float | None,
    *,
    name: str | None = None,
    exclude: frozenset[str] = frozenset(),
) -> str:
    """Return the name of the captured network nearest in totals (and in name, when one is given).

    Parameters
    ----------
    params_m, gmacs, macts : float
        Million parameters, 10^9 multiply-adds and 10^6 activations of one sample.
    name : str, optional
    exclude : frozenset of str
        Templates not to use (for validation).
    """
    names, logs = _templates()
    channels = (log(gmacs) - logs[:, 1]) - ((log(macts) - logs[:, 2]) if macts else 0.0)
    if not macts:
        channels = 0.5 * (log(params_m) - logs[:, 0])
    repeats = (log(params_m) - logs[:, 0]) - 2 * channels
    positions = (log(gmacs) - logs[:, 1]) - 2 * channels - repeats
    distance = np.abs(channels) + np.abs(repeats) + 0.7 * np.abs(positions) - _name_bonus(name, names)
    if exclude:
        distance = np.where([each in exclude for each in names], np.inf, distance)
    return names[int(np.argmin(distance))]


def graph_from_totals(
    params_M: float,
    gmacs: float,
    macts: float | None = None,
    *,
    image_size: int | None = None,
    name: str | None = None,
    exclude: frozenset[str] = frozenset(),
) -> Graph:
    """Return a graph with the given totals for one sample.

    Parameters
    ----------
    params_M : float
        Million parameters.
    gmacs : float
        10^9 multiply-adds of a forward pass.
    macts : float, optional
        10^6 output elements of convolutions and linear layers; that of the nearest network when not given.
    image_size : int, optional
        Size that the totals hold for; other sizes scale what a sample costs by the pixels.
    name : str, optional
        A name helps to find a network of the same family.
    exclude : frozenset of str
        Templates not to use (for validation).

    Raises
    ------
    InputError
        When a total is not positive.
    """
    for label, value in (("params", params_M), ("gmacs", gmacs), ("macts", macts)):
        if value is not None and not value > 0:
            raise InputError(f"{label} must be positive, not {value}", "give millions of parameters, GMACs, MActs")
    chosen = nearest_template(params_M, gmacs, macts, name=name, exclude=exclude)
    template = load(chosen)
    size = _template_sizes()[chosen] or image_size
    stretch = solve(template, params_M * 1e6, gmacs, macts)
    graph = _stretched(template, stretch, params_M * 1e6)
    return replace(
        graph,
        name=name or f"totals({params_M:g}M, {gmacs:g} GMAC)",
        size_name="image_size" if image_size or template.size_name == "image_size" else template.size_name,
        default_size=image_size or size or template.default_size,
        size_step=0,
    )


def solve(template: Graph, parameters: float, gmacs: float, macts: float | None) -> Stretch:
    """Find the stretch that gives a template the wanted totals.

    Dense products follow ``gamma alpha beta^2``, depthwise ones ``gamma alpha beta``; solved by fixed-point iteration.
    """
    forward = template.operators(batch=1, mode=template.modes[-1], optimizer=None)
    forward = forward.select((forward.phase == PHASE_CODE["forward"]) & (forward.k > 0))
    macs = forward.count * forward.flops / 2e9
    thin = forward.depthwise
    dense, sparse = float(macs[~thin].sum()), float(macs[thin].sum())
    acts = float((forward.count * forward.b * forward.m * forward.n).sum()) / 1e6
    wanted_acts = macts or acts * gmacs / (dense + sparse)
    weights = template.parameters()
    a = b = c = 0.0
    for _ in range(_ITERATIONS):
        mac = exp(a + b + c) * (dense * exp(b) + sparse)
        act = exp(a + b + c) * acts
        share = dense * exp(b) / (dense * exp(b) + sparse)
        rise = log(gmacs / mac) - log(wanted_acts / act)
        b += 0.7 * rise / max(share, 0.2)
        b = min(max(b, -2.0), 2.0)
        c = min(max(log(parameters / weights) - 2 * b, -1.5), 1.5)
        a = log(gmacs / (dense * exp(2 * b + c) + sparse * exp(b + c)))
    return Stretch(exp(a), exp(b), exp(c))


def _stretched(template: Graph, stretch: Stretch, parameters: float) -> Graph:
    """Stretch every column of every table at the template's default size."""
    width = template.degree + 1
    constants = template.polynomials[:, [0, width]]
    whole = np.array([stretch.beta**2, stretch.alpha * stretch.beta]) * stretch.gamma
    parts = [constants[[template.input_column]] * (1.0, stretch.alpha)]
    for table in template.tables.values():
        parts.append(_stretched_columns(table, constants, stretch).reshape(-1, 2))
        parts += [constants[[start for start, _ in lines]] * whole for lines in table.peaks.values()]
    distinct, indices = np.unique(np.concatenate([np.zeros((1, 2)), *parts]), axis=0, return_inverse=True)
    indices = indices.reshape(-1)
    zero, at = int(indices[0]), 2
    tables = {}
    for key, table in template.tables.items():
        columns = indices[at : at + table.columns.size].reshape(table.columns.shape)
        at += table.columns.size
        peaks = {}
        for which, lines in table.peaks.items():
            peaks[which] = [(int(start), zero) for start in indices[at : at + len(lines)]]
            at += len(lines)
        tables[key] = replace(table, columns=columns.astype(np.intp), peaks=peaks)
    scale = parameters / max(template.parameters(), 1.0)
    return replace(
        template,
        exact=False,
        degree=0,
        polynomials=distinct,
        tables=tables,
        parameter_line=(template.parameter_line[0] * scale, 0.0),
        tensor_line=(template.tensor_line[0] * stretch.gamma, 0.0),
        buffer_line=(template.buffer_line[0] * stretch.beta * stretch.gamma, 0.0),
        input_column=int(indices[1]),
    )


def _factors(kind: str, thin: bool, s: Stretch) -> dict[str, tuple[float, float]]:
    """(constant, per sample) factor of every column for one kind of operator."""
    plain = (s.beta**2, s.alpha * s.beta)
    found: dict[str, tuple[float, float]] = dict.fromkeys(NUMERIC, plain)
    found["count"] = (s.gamma, s.gamma)
    if kind in ("gemm", "conv", "rnn"):
        found["m"] = found["n"] = found["k"] = (1.0 if thin else s.beta, s.alpha)
        found["b"] = (s.beta if thin else 1.0, s.beta if thin else 1.0)
        power = s.alpha * s.beta * (1.0 if thin else s.beta)
        found["flops"] = (power, power)
    elif kind == "attention":
        found["b"], found["m"], found["n"], found["k"] = (s.beta, s.beta), (s.alpha,) * 2, (s.alpha,) * 2, (1.0, 1.0)
        found["flops"] = (s.alpha**2 * s.beta,) * 2
    elif kind in ("norm", "softmax"):
        found["rows"] = found["cols"] = (s.beta, s.alpha)
    return found


def _stretched_columns(table: OperatorTable, constants: Array, stretch: Stretch) -> Array:
    """Polynomials of every cell of a table, [columns, operators, 2]."""
    kinds = list(zip(table.statics["kind"], table.statics["depthwise"], strict=True))
    by_kind = {key: _factors(str(key[0]), bool(key[1]), stretch) for key in set(kinds)}
    columns = ("count", *NUMERIC)  # the first row is the count for each block, which is zero here
    factors = np.array([[by_kind[key][name] for key in kinds] for name in columns])
    return np.asarray(constants[table.columns] * factors)
