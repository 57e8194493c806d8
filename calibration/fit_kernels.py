"""Fit the physical coefficients to single-kernel latencies (maximum a posteriori, Gauss-Newton, robust weights)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from perfmodel.calibration.kernel_rows import KernelRows
from perfmodel.hardware.gpu import find_gpu
from perfmodel.roofline.coefficients import NAMES, KernelCoefficients
from perfmodel.roofline.physical import physical_time

Floats = npt.NDArray[np.float64]

#: Coefficients that any kernel rows identify; the others keep their defaults or are fitted on whole steps.
FITTED = tuple(
    name
    for name in NAMES
    if name not in {"depthwise_memory", "depthwise_compute", "kernel_s", "tf32_share", "batched_rows"}
)
_PRIOR_SD, _EFFECT_SD, _FLOOR_SD = 0.6, 0.15, 0.6
#: Known beforehand: full tiles reach most of the peak, and streaming kernels most of the bandwidth, on any card.
_TIGHT = {
    "simt_share": 0.05, "bandwidth_old": 0.04, "bandwidth_new": 0.04, "product_memory": 0.15, "half_share": 0.15,
    "norm_old": 0.05, "norm_new": 0.10, "softmax_old": 0.05, "softmax_new": 0.10, "k_prologue": 0.4,
}  # fmt: skip
_FLOOR = {"neusight": 35e-6, "deepbench": 8e-6}
#: Floor of sources that are not named above, and of the project's own sessions, whose bursts hide the host.
_UNKNOWN_FLOOR, _BURST_FLOOR = 3e-5, 1e-6
_HUBER = 0.15
#: Classes with a card effect of their own: one card must not decide a coefficient of all cards of its age.
_OWN_EFFECT = ("norm", "softmax")
_PRODUCTS = ("linear", "bmm", "conv", "conv_dgrad", "conv_wgrad")


@dataclass(frozen=True)
class KernelFit:
    """Result of `fit_kernels`.

    Attributes
    ----------
    coefficients : KernelCoefficients
    effects : dict
        Log factor on the time of (gpu, "product" | "bytes" | "norm" | "softmax") beyond what its specification tells;
        the last two on top of "bytes".
    floors : dict
        Seconds of measurement overhead of (source, gpu, class): the host's, not the card's.
    """

    coefficients: KernelCoefficients
    effects: dict[tuple[str, str], float] = field(default_factory=dict)
    floors: dict[tuple[str, str, str], float] = field(default_factory=dict)

    @property
    def cards(self) -> dict[str, tuple[float, float]]:
        """Effects on products and memory traffic by card."""
        keys = {gpu for gpu, _ in self.effects}
        return {
            key: (self.effects.get((key, "product"), 0.0), self.effects.get((key, "bytes"), 0.0))
            for key in sorted(keys)
        }

    def effect(self, gpu: str, cls: str) -> float:
        """Log factor on a card's kernels of a class; what cards of its age have in common for a card not fitted."""
        return sum(self._side(gpu, side) for side in sides(cls))

    def _side(self, gpu: str, side: str) -> float:
        if any(key == gpu for key, _ in self.effects):
            return self.effects.get((gpu, side), 0.0)
        alike = [value for (key, name), value in self.effects.items() if name == side and _old(key) == _old(gpu)]
        return sum(alike) / (len(alike) + 1.0)

    def floor(self, source: str, gpu: str, cls: str) -> float:
        """Measurement overhead; the mean of other cards' for a card not fitted."""
        key = (source, gpu, cls)
        if key in self.floors:
            return self.floors[key]
        same = [value for (s, _, c), value in self.floors.items() if s == source and c == cls]
        same = same or [value for (s, _, _), value in self.floors.items() if s == source]
        return float(np.exp(np.mean(np.log(same)))) if same else floor_before(source)


def sides(cls: str) -> tuple[str, ...]:
    """Names of the card effects that act on a class."""
    if cls in _PRODUCTS:
        return ("product",)
    return ("bytes", cls) if cls in _OWN_EFFECT else ("bytes",)


@cache
def _old(gpu: str) -> bool:
    return find_gpu(gpu).compute_capability < 7


def floor_before(source: str) -> float:
    """Seconds that measuring a kernel adds in a source, before any of its rows is seen."""
    return _BURST_FLOOR if source.startswith("perfmodel ") else _FLOOR.get(source, _UNKNOWN_FLOOR)


def identified(rows: KernelRows) -> tuple[str, ...]:
    """Coefficients that some rows identify: those of TF32 and of depthwise convolutions need rows of these."""
    tf32 = ("tf32_share",) if np.any(rows.precision == "tf32") else ()
    deep = ("depthwise_memory", "depthwise_compute") if np.any(rows.ops.depthwise) else ()
    return (*FITTED, *tf32, *deep)


def device_time(rows: KernelRows, c: KernelCoefficients) -> Floats:
    """Physical seconds of each row, without any measurement floor."""
    time = np.empty(len(rows))
    for precision in np.unique(rows.precision):
        at = np.flatnonzero(rows.precision == precision)
        part = rows.select(at)
        time[at] = physical_time(part.ops, part.device, str(precision), c)
    return time


def predict_rows(rows: KernelRows, fit: KernelFit) -> Floats:
    """Seconds as they would be measured: physical time, card effect and floor."""
    keys, index = _index(zip(rows.gpu, rows.cls, strict=True))
    effect = np.array([fit.effect(gpu, cls) for gpu, cls in keys])[index]
    floor = np.array([fit.floor(*key) for key in zip(rows.source, rows.gpu, rows.cls, strict=True)])
    result: Floats = device_time(rows, fit.coefficients) * np.exp(effect) + floor
    return result


def subsample(rows: KernelRows, per_cell: int, seed: int = 0) -> KernelRows:
    """At most ``per_cell`` rows of each source x GPU x class, so that no cell decides the fit."""
    rng = np.random.default_rng(seed)
    cell = np.char.add(np.char.add(rows.source, rows.gpu), np.char.add(rows.cls, rows.precision))
    chosen: list[npt.NDArray[np.intp]] = []
    for name in np.unique(cell):
        at = np.flatnonzero(cell == name)
        chosen.append(at if len(at) <= per_cell else rng.choice(at, per_cell, replace=False))
    return rows.select(np.sort(np.concatenate(chosen)))


def fit_kernels(
    rows: KernelRows,
    *,
    start: KernelCoefficients | None = None,
    names: Iterable[str] | None = None,
    iterations: int = 8,
    per_cell: int = 250,
) -> KernelFit:
    """Maximum a posteriori coefficients with shrunk card effects and host floors.

    Parameters
    ----------
    rows : KernelRows
        Measured kernels.
    start : KernelCoefficients, optional
        Centre of the prior and first guess.
    names : iterable of str, optional
        Coefficients to fit; by default those that the rows identify.
    iterations : int
        Gauss-Newton steps.
    per_cell : int
        Rows kept of each source x GPU x class.
    """
    chosen = identified(rows) if names is None else tuple(names)
    return _Fit(subsample(rows, per_cell), start or KernelCoefficients(), chosen).run(iterations)


class _Fit:
    def __init__(self, rows: KernelRows, start: KernelCoefficients, names: tuple[str, ...]) -> None:
        self.rows, self.names, self.base = rows, names, start.to_dict()
        self.centre = np.log([self.base[name] for name in names])
        effects = [[(gpu, side) for side in sides(cls)] for gpu, cls in zip(rows.gpu, rows.cls, strict=True)]
        self.effect_keys, _ = _index([key for keys in effects for key in keys])
        at = {key: number for number, key in enumerate(self.effect_keys)}
        self.acts = np.zeros((len(rows), len(self.effect_keys)))
        for row, keys in enumerate(effects):
            self.acts[row, [at[gpu, side] for gpu, side in keys]] = 1.0
        self.floor_keys, self.floor_index = _index(zip(rows.source, rows.gpu, rows.cls, strict=True))
        self.floor_centre = np.log([floor_before(key[0]) for key in self.floor_keys])
        self.log_time = np.log(rows.time_s)
        self.weight = 1.0 / np.bincount(self.floor_index)[self.floor_index]
        self.weight *= len(rows) / self.weight.sum()

    def coefficients(self, theta: Floats) -> KernelCoefficients:
        values = dict(self.base)
        values.update(zip(self.names, np.exp(theta).tolist(), strict=True))
        return KernelCoefficients.from_dict(values)

    def run(self, iterations: int) -> KernelFit:
        theta, effect = self.centre.copy(), np.zeros(len(self.effect_keys))
        floor = self.floor_centre.copy()
        damping = 1e-2
        for _ in range(iterations):
            device = device_time(self.rows, self.coefficients(theta))
            residual, jac = self._linearise(theta, effect, floor, device)
            cost = self._cost(residual, theta, effect, floor)
            while True:
                step = self._step(residual, jac, theta, effect, floor, damping)
                trial = self._split(theta, effect, floor, step)
                log = self._predict(device_time(self.rows, self.coefficients(trial[0])), trial[1], trial[2])
                better = self._cost(self.log_time - log, *trial) < cost
                if better or damping > 1e3:
                    break
                damping *= 10
            if not better:  # no step improves on where it stands
                break
            theta, effect, floor = trial
            damping = max(damping / 10, 1e-4)
        seconds = np.exp(floor).tolist()
        return KernelFit(
            self.coefficients(theta),
            {(gpu, side): value for (gpu, side), value in zip(self.effect_keys, effect.tolist(), strict=True)},
            {(source, gpu, cls): value for (source, gpu, cls), value in zip(self.floor_keys, seconds, strict=True)},
        )

    def _predict(self, device: Floats, effect: Floats, floor: Floats) -> Floats:
        result: Floats = np.log(device * np.exp(self.acts @ effect) + np.exp(floor[self.floor_index]))
        return result

    def _linearise(self, theta: Floats, effect: Floats, floor: Floats, device: Floats) -> tuple[Floats, Floats]:
        log = self._predict(device, effect, floor)
        scaled = device * np.exp(self.acts @ effect)
        share = scaled / np.exp(log)
        jac = np.zeros((len(log), len(theta) + len(effect) + len(floor)))
        for j in range(len(theta)):
            moved = theta.copy()
            moved[j] += 1e-3
            delta = np.log(device_time(self.rows, self.coefficients(moved)) / device) / 1e-3
            jac[:, j] = delta * share
        at = np.arange(len(log))
        jac[:, len(theta) : len(theta) + len(effect)] = self.acts * share[:, None]
        jac[at, len(theta) + len(effect) + self.floor_index] = 1 - share
        return self.log_time - log, jac

    def _prior(self) -> Floats:
        own = np.array([_TIGHT.get(name, _PRIOR_SD) for name in self.names])
        effects, floors = len(self.effect_keys), len(self.floor_keys)
        return np.concatenate([own, np.full(effects, _EFFECT_SD), np.full(floors, _FLOOR_SD)])

    def _offset(self, theta: Floats, effect: Floats, floor: Floats) -> Floats:
        return np.concatenate([theta - self.centre, effect, floor - self.floor_centre])

    def _cost(self, residual: Floats, theta: Floats, effect: Floats, floor: Floats) -> float:
        size = np.abs(residual)
        huber = np.where(size < _HUBER, 0.5 * size**2, _HUBER * (size - 0.5 * _HUBER)) / _HUBER**2
        prior = 0.5 * np.sum((self._offset(theta, effect, floor) / self._prior()) ** 2)
        return float(np.sum(self.weight * huber) + prior)

    def _step(
        self, residual: Floats, jac: Floats, theta: Floats, effect: Floats, floor: Floats, damping: float
    ) -> Floats:
        weight = self.weight * np.minimum(1.0, _HUBER / np.maximum(np.abs(residual), 1e-12)) / _HUBER**2
        precision = 1.0 / self._prior() ** 2
        normal = (jac.T * weight) @ jac
        normal[np.diag_indices_from(normal)] += precision + damping * np.diag(normal)
        gradient = jac.T @ (weight * residual) - precision * self._offset(theta, effect, floor)
        step: Floats = np.clip(np.linalg.solve(normal, gradient), -0.7, 0.7)
        return step

    def _split(self, theta: Floats, effect: Floats, floor: Floats, step: Floats) -> tuple[Floats, Floats, Floats]:
        i, j = len(theta), len(theta) + len(effect)
        return theta + step[:i], effect + step[i:j], floor + step[j:]


def _index(keys: Iterable[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], npt.NDArray[np.intp]]:
    order: dict[tuple[str, ...], int] = {}
    index = [order.setdefault(tuple(str(part) for part in key), len(order)) for key in keys]
    return list(order), np.array(index, dtype=np.intp)
